#include <doctest/doctest.h>

#include "base/keyed_hash.h"

namespace rowhouse {
namespace {

TEST_CASE("the keyed hash is SipHash-1-3") {
  // What CPython 3.11 says under PYTHONHASHSEED=0, which is the key of zeros.
  const HashKey zero;
  CHECK(keyed_hash(zero, "a") == 0x407448d2b89b1813);
  CHECK(keyed_hash(zero, "abcdefg") == 0x6db12aae9070f506);
  CHECK(keyed_hash(zero, "abcdefgh") == 0x3f7b849c0b8e35ea);
  CHECK(keyed_hash(zero, "acme.example") == 0xdb228fd0f7af50e3);
  CHECK(keyed_hash(zero, "the quick brown fox jumps over") == 0xad7dbf39b6f5e689);
}

TEST_CASE("the key changes the hash, and a process keeps its key") {
  CHECK(keyed_hash({1, 0}, "a") != keyed_hash({0, 0}, "a"));
  CHECK(keyed_hash({0, 1}, "a") != keyed_hash({0, 0}, "a"));
  CHECK(KeyedTextHash()("a") == KeyedTextHash()("a"));
  CHECK((process_hash_key().low | process_hash_key().high) != 0);
}

}  // namespace
}  // namespace rowhouse
