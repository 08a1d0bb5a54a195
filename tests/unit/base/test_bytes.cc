// The bounded reader and writer: what fits passes, the first step beyond fails and stays failed.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "base/bytes.h"

namespace rowhouse {
namespace {

TEST_CASE("integers are little-endian, both ways") {
  std::array<std::uint8_t, 15> room{};
  ByteWriter writer(room);
  writer.u8(0x01);
  writer.u16(0x0302);
  writer.u32(0x07060504);
  writer.u64(0x0f0e0d0c0b0a0908);
  REQUIRE(writer.ok());
  for (std::size_t i = 0; i < room.size(); ++i) CHECK(room[i] == i + 1);
  ByteReader reader(writer.written());
  CHECK(reader.u8() == 0x01);
  CHECK(reader.u16() == 0x0302);
  CHECK(reader.u32() == 0x07060504);
  CHECK(reader.u64() == 0x0f0e0d0c0b0a0908);
  CHECK(reader.done());
}

TEST_CASE("a read beyond the end answers zero and every later one too") {
  const std::array<std::uint8_t, 3> bytes{1, 2, 3};
  ByteReader reader(bytes);
  CHECK(reader.u32() == 0);
  CHECK_FALSE(reader.ok());
  CHECK(reader.u8() == 0);
  CHECK(reader.bytes(1).empty());
  CHECK(reader.text16().empty());
  CHECK_FALSE(reader.done());
}

TEST_CASE("done is false while bytes are left") {
  const std::array<std::uint8_t, 2> bytes{1, 2};
  ByteReader reader(bytes);
  CHECK(reader.u8() == 1);
  CHECK(reader.ok());
  CHECK_FALSE(reader.done());
  CHECK(reader.remaining() == 1);
}

TEST_CASE("a text whose length points beyond the end is refused") {
  const std::array<std::uint8_t, 4> bytes{3, 0, 'a', 'b'};
  ByteReader reader(bytes);
  CHECK(reader.text16().empty());
  CHECK_FALSE(reader.ok());
}

TEST_CASE("a count that would overflow is refused") {
  const std::array<std::uint8_t, 4> bytes{};
  ByteReader reader(bytes);
  CHECK(reader.u8() == 0);
  CHECK(reader.bytes(SIZE_MAX).empty());
  CHECK_FALSE(reader.ok());
}

TEST_CASE("a write beyond the room fails and writes nothing more") {
  std::array<std::uint8_t, 4> room{};
  ByteWriter writer(room);
  writer.u16(0x2222);
  writer.u32(0x33333333);
  CHECK_FALSE(writer.ok());
  writer.u8(0x44);
  CHECK(writer.size() == 2);
  CHECK(room[2] == 0);
}

TEST_CASE("a text16 of 65,535 bytes passes, one more does not") {
  std::string room(70'000, '\0');
  const auto fits = [&room](std::size_t size) {
    ByteWriter writer({reinterpret_cast<std::uint8_t*>(room.data()), room.size()});
    writer.text16(std::string(size, 'x'));
    return writer.ok();
  };
  CHECK(fits(0));
  CHECK(fits(65'535));
  CHECK_FALSE(fits(65'536));
}

TEST_CASE("a length that is known last is patched in its place") {
  std::array<std::uint8_t, 8> room{};
  ByteWriter writer(room);
  writer.u32(0);
  writer.bytes(as_bytes("abc"));
  writer.patch_u32(0, 3);
  CHECK(as_text(writer.written()) == std::string_view("\x03\x00\x00\x00" "abc", 7));
}

}  // namespace
}  // namespace rowhouse
