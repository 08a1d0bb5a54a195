// Foreign text for terminals and logs, and the hash of strangers' keys.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/keyed_hash.h"
#include "base/printable.h"

namespace rowhouse {
namespace {

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::uniform_int_distribution<int> byte(0, 255);
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(byte(random));
  return bytes;
}

TEST_CASE("readable text in any script stays as it is") {
  for (const char* text : {"", "plain", "tab\there", "Gr\xc3\xbc\xc3\x9f" "e", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x90\x8d"}) {
    CHECK(terminal_safe(text) == text);
    CHECK(escape_line(text) == text);
  }
}

TEST_CASE("what could end a line, move a cursor or reorder text is escaped") {
  CHECK(terminal_safe("a\nb\r\x1b[2J\x7f") == R"(a\x0ab\x0d\x1b[2J\x7f)");
  CHECK(terminal_safe("\xc2\x9b") == R"(\xc2\x9b)");                  // C1 CSI
  CHECK(terminal_safe("\xe2\x80\xae") == R"(\xe2\x80\xae)");          // right-to-left override
  CHECK(terminal_safe("\xe2\x80\xa8") == R"(\xe2\x80\xa8)");          // line separator
  CHECK(terminal_safe("\xff\xc0\xaf\xed\xa0\x80") == R"(\xff\xc0\xaf\xed\xa0\x80)");  // not UTF-8
}

TEST_CASE("a text cut inside a character is escaped, not dropped") {
  CHECK(terminal_safe("\xe6\x97") == R"(\xe6\x97)");
}

TEST_CASE("escaping for showing twice changes nothing more") {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string once = terminal_safe(random_bytes(random, 40));
    CHECK(terminal_safe(once) == once);
  }
}

TEST_CASE("a stored line gives back exactly the bytes that went in") {
  std::mt19937 random(2);
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = random_bytes(random, 40);
    const std::string line = escape_line(bytes);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(unescape_line(line) == bytes);
  }
  for (const char* text : {R"(\x41)", R"(\\x41)", R"(\x4)", R"(\)", R"(\\\)", R"(\x5cx41)"}) {
    CHECK(unescape_line(escape_line(text)) == text);
  }
}

// The expected values are CPython's: its hash of bytes is the same function, with a zero key when
// PYTHONHASHSEED is 0.
TEST_CASE("the keyed hash is SipHash-1-3") {
  CHECK(keyed_hash({}, "a") == 0x407448d2b89b1813);
  CHECK(keyed_hash({}, "0123456") == 0x810aaf7acf670379);
  CHECK(keyed_hash({}, "acme.example") == 0xdb228fd0f7af50e3);
  CHECK(keyed_hash({}, "0123456789abcdef") == 0x1d42b30f7e060c24);
}

TEST_CASE("the keyed hash tells texts apart by content, length and key") {
  const HashKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string text;
  std::uint64_t before = keyed_hash(key, text);
  for (char i = 0; i < 64; ++i) {
    text += i;
    CHECK(keyed_hash(key, text) != before);
    before = keyed_hash(key, text);
    CHECK(keyed_hash(key, text) == before);
    CHECK(keyed_hash(HashKey{1, 2}, text) != before);
  }
}

TEST_CASE("one process has one hash key, and it is not zero") {
  CHECK(process_hash_key().low == process_hash_key().low);
  CHECK((process_hash_key().low | process_hash_key().high) != 0);
  CHECK(KeyedTextHash()("acme.example") == KeyedTextHash()("acme.example"));
}

}  // namespace
}  // namespace rowhouse
