// Redirects: what a tenant may ask for, and that nothing of a request leaves its place in the answer.
#include <doctest/doctest.h>

#include "gateway/redirect.h"

namespace rowhouse::gateway {
namespace {

std::string location(const Redirect& redirect, std::string_view below, std::string_view query = {}) {
  std::string out;
  append_redirect(out, redirect, {below, query, AfterAnswer::kKeepAlive, "now"});
  CHECK(out.starts_with("HTTP/1.1 " + std::to_string(redirect.status) + " "));
  CHECK(out.ends_with("\r\n\r\n"));
  const std::size_t start = out.find("Location: ") + 10;
  return out.substr(start, out.find("\r\n", start) - start);
}

TEST_CASE("the rest of the path and the query follow, unless the tenant says otherwise") {
  const Redirect kept{301, "https://www.acme.example", true};
  CHECK(location(kept, "/a/b", "x=1") == "https://www.acme.example/a/b?x=1");
  CHECK(location(kept, "") == "https://www.acme.example");
  CHECK(location({302, "/new/", true}, "/a") == "/new/a");
  CHECK(location({302, "/new", false}, "/a", "x=1") == "/new");
}

TEST_CASE("nothing of the path leaves its place") {
  const Redirect kept{301, "https://www.acme.example", true};
  CHECK(location(kept, "/a\r\nSet-Cookie: x") == "https://www.acme.example/a%0D%0ASet-Cookie:%20x");
  CHECK(location(kept, "/a?b#c%") == "https://www.acme.example/a%3Fb%23c%25");
  CHECK(location(kept, "/\xff\"<>") == "https://www.acme.example/%FF%22%3C%3E");
  CHECK(location({301, "/", true}, "//evil.example/x") == "/evil.example/x");
}

TEST_CASE("what is no sound target redirects nobody") {
  for (const char* target : {"https://a.example", "http://a.example/x", "/x", "/"})
    CHECK(is_sound({301, target, true}));
  for (const char* target : {"", "a.example", "//a.example", "javascript:x", "https://a.example/\r\nX: y",
                             "/a b", "/a#b", "ftp://a", "/\xff", "/a?b"}) {
    CAPTURE(target);
    CHECK_FALSE(is_sound({301, target, true}));
  }
  CHECK(is_sound({301, "/a?b", false}));
  CHECK_FALSE(is_sound({301, "/" + std::string(1024, 'a'), true}));
  for (const int status : {200, 300, 304, 305, 306, 400}) {
    CHECK_FALSE(is_sound({static_cast<std::uint16_t>(status), "/x", true}));
  }
}

}  // namespace
}  // namespace rowhouse::gateway
