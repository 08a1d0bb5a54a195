#include <doctest/doctest.h>

#include "gateway/path.h"

namespace rowhouse::gateway {
namespace {

std::string normal(std::string_view raw) {
  std::string out = "left over";
  return normalise_path(raw, out).ok() ? out : "invalid";
}

TEST_CASE("a path is decoded exactly once") {
  CHECK(normal("/") == "/");
  CHECK(normal("/a%20b") == "/a b");
  CHECK(normal("/%41%5a%5A") == "/AZZ");
  CHECK(normal("/a%2Fb%2fc") == "/a/b/c");
  CHECK(normal("/%252e%252e/") == "/%2e%2e/");
  CHECK(normal("/a+b;c=d") == "/a+b;c=d");
  CHECK(normal("/%ff") == "/\xff");
}

TEST_CASE("bad escapes and NUL are refused") {
  for (const std::string_view raw : {"/%", "/%4", "/%g0", "/%0g", "/%%41", "/%00", "/a%00b", "/% 1"}) {
    CAPTURE(raw);
    CHECK(normal(raw) == "invalid");
  }
  CHECK(normal(std::string_view("/a\0b", 4)) == "invalid");
}

TEST_CASE("dot segments are resolved after decoding") {
  CHECK(normal("/a/./b") == "/a/b");
  CHECK(normal("/a/../b") == "/b");
  CHECK(normal("/a/b/..") == "/a/");
  CHECK(normal("/a/b/.") == "/a/b/");
  CHECK(normal("/a/..") == "/");
  CHECK(normal("/.") == "/");
  CHECK(normal("/./././") == "/");
  CHECK(normal("/a/%2e%2e/b") == "/b");
  CHECK(normal("/a%2f..%2fb") == "/b");
  CHECK(normal("/a/b/c/../../d/./e/..") == "/a/d/");
  CHECK(normal("/...") == "/...");
  CHECK(normal("/.a/..b/c.") == "/.a/..b/c.");
}

TEST_CASE("repeated slashes are kept, and a .. takes one empty segment away") {
  CHECK(normal("//") == "//");
  CHECK(normal("/a//b") == "/a//b");
  CHECK(normal("/a//../b") == "/a/b");
  CHECK(normal("/a//./b") == "/a//b");
  CHECK(normal("//..") == "/");
  CHECK(normal("//a/../..") == "/");
}

TEST_CASE("leaving the root is refused") {
  for (const std::string_view raw : {"/..", "/../", "/../a", "/a/../..", "/a/../../a", "/./..", "/%2e.",
                                     "/a/..%2f..", "//../..", "/a/b/../../../c"}) {
    CAPTURE(raw);
    CHECK(normal(raw) == "invalid");
  }
}

TEST_CASE("a path begins with a slash") {
  for (const std::string_view raw : {"", "a", "*", "%2fa", "../"}) {
    CAPTURE(raw);
    CHECK(normal(raw) == "invalid");
  }
}

}  // namespace
}  // namespace rowhouse::gateway
