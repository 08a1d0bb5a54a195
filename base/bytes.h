// The one bounded reader and the one bounded writer.  Little-endian.  Both fail stickily: after the first
// access beyond the span every read answers zero or empty and ok() is false, so a decoder reads all its
// fields and checks once.  Neither allocates.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace rowhouse {

static_assert(std::endian::native == std::endian::little, "the wire formats are little-endian");

using ByteSpan = std::span<const std::uint8_t>;

[[nodiscard]] inline ByteSpan as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  // True when everything was read and nothing failed: what a decoder asks last.
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

  template <typename Integer>
  Integer integer() {
    Integer value{};
    const ByteSpan source = bytes(sizeof(Integer));
    if (ok_) std::memcpy(&value, source.data(), sizeof(Integer));
    return value;
  }
  std::uint8_t u8() { return integer<std::uint8_t>(); }
  std::uint16_t u16() { return integer<std::uint16_t>(); }
  std::uint32_t u32() { return integer<std::uint32_t>(); }
  std::uint64_t u64() { return integer<std::uint64_t>(); }

  // The next `count` bytes, borrowed from the span given at construction; empty after a failure.
  ByteSpan bytes(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const ByteSpan taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  // A u16 length and that many bytes, borrowed.
  std::string_view text16() { return as_text(bytes(u16())); }

 private:
  ByteSpan rest_;
  bool ok_ = true;
};

class ByteWriter {
 public:
  explicit ByteWriter(std::span<std::uint8_t> room) : room_(room) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] ByteSpan written() const { return ByteSpan(room_).first(used_); }

  template <typename Integer>
  void integer(Integer value) {
    bytes({reinterpret_cast<const std::uint8_t*>(&value), sizeof(Integer)});
  }
  void u8(std::uint8_t value) { integer(value); }
  void u16(std::uint16_t value) { integer(value); }
  void u32(std::uint32_t value) { integer(value); }
  void u64(std::uint64_t value) { integer(value); }

  void bytes(ByteSpan source) {
    if (!ok_ || source.size() > room_.size() - used_) {
      ok_ = false;
      return;
    }
    if (!source.empty()) std::memcpy(room_.data() + used_, source.data(), source.size());
    used_ += source.size();
  }
  // A u16 length and the bytes; fails when the text is longer than 65,535 bytes.
  void text16(std::string_view text) {
    if (text.size() > 0xffff) ok_ = false;
    u16(static_cast<std::uint16_t>(text.size()));
    bytes(as_bytes(text));
  }
  // Overwrites a u32 written earlier, for lengths that are known last.  REQUIRES: position + 4 <= size().
  void patch_u32(std::size_t position, std::uint32_t value) {
    std::memcpy(room_.data() + position, &value, sizeof value);
  }

 private:
  std::span<std::uint8_t> room_;
  std::size_t used_ = 0;
  bool ok_ = true;
};

}  // namespace rowhouse
