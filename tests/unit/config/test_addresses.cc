#include <doctest/doctest.h>

#include "config/addresses.h"

using namespace rowhouse::config;

namespace {

template <typename T>
std::string problem_of(const Parsed<T>& parsed) {
  return parsed.ok() ? "" : parsed.problem();
}

std::string route(std::string_view text) {
  const auto parsed = parse_route(text);
  if (!parsed.ok()) return parsed.problem();
  return parsed.value().host.str() + "|" + parsed.value().prefix.str();
}

}  // namespace

TEST_CASE("hosts are lower-case labels joined by dots") {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  for (const std::string& host : {std::string("localhost"), std::string("acme.example"), std::string("a-b.c"),
                                  std::string("1.2.3"), std::string("xn--caf-dma.example"), longest}) {
    CAPTURE(host);
    CHECK(parse_host(host).ok());
  }
  for (const std::string& host :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("-a.b"),
        std::string("a-.b"), std::string("a_b.c"), std::string("a b"), std::string("a/b"), label + "a.b",
        longest + "b", std::string("a\n"), std::string("a%41")}) {
    CAPTURE(host);
    CHECK_FALSE(parse_host(host).ok());
  }
}

TEST_CASE("a host that is none is told its own mistake") {
  CHECK(problem_of(parse_host("caf\xc3\xa9.example"))
            .starts_with("must have international names in their xn-- form"));
  CHECK(problem_of(parse_host("ACME.example")).starts_with("must have hosts in lower case"));
  CHECK(problem_of(parse_host("http://acme.example")).starts_with("must have hosts without \"http://\""));
  CHECK(problem_of(parse_host("acme.example:80")).starts_with("must have hosts without a port"));
  CHECK(problem_of(parse_host("acme.example.")).starts_with("must have hosts without a dot at the end"));
  CHECK(problem_of(parse_host(std::string(200, 'a') + "." + std::string(60, 'b')))
            .starts_with("must have hosts of at most 253 characters"));
  CHECK(problem_of(parse_host("a_b")) ==
        "must have hosts of labels a-z, 0-9 and \"-\", joined by dots, not \"a_b\"");
}

TEST_CASE("a star is only the whole first label") {
  CHECK(parse_host("*.acme.example").ok());
  for (const char* host : {"*", "*.", "a.*.example", "*a.example", "**.example", "*.*.example", "acme.*"}) {
    CAPTURE(host);
    CHECK_FALSE(parse_host(host).ok());
  }
  CHECK(problem_of(parse_host("a.*.b")).starts_with("may have \"*\" only as the whole first label"));
}

TEST_CASE("a domain is taken apart into host and wildcard") {
  CHECK(parse_domain("acme.example").value().host.view() == "acme.example");
  CHECK_FALSE(parse_domain("acme.example").value().wildcard);
  CHECK(parse_domain("*.acme.example").value().host.view() == "acme.example");
  CHECK(parse_domain("*.acme.example").value().wildcard);
  CHECK_FALSE(parse_domain("acme.example/x").ok());
}

TEST_CASE("a route is a host and a prefix without a slash at its end") {
  CHECK(route("acme.example") == "acme.example|");
  CHECK(route("acme.example/") == "acme.example|");
  CHECK(route("acme.example/blog") == "acme.example|/blog");
  CHECK(route("acme.example/blog/") == "acme.example|/blog");
  CHECK(route("*.acme.example/a/b.c~d:e@f") == "*.acme.example|/a/b.c~d:e@f");
  CHECK(route("acme.example/...") == "acme.example|/...");
}

TEST_CASE("a route whose path has more than one reading is refused") {
  CHECK(route("acme.example//") == "must have paths without empty segments (\"//\"), not \"acme.example//\"");
  CHECK(route("acme.example/a//b").starts_with("must have paths without empty segments"));
  CHECK(route("acme.example/.").starts_with("must have paths without \".\" and \"..\""));
  CHECK(route("acme.example/a/../b").starts_with("must have paths without \".\" and \"..\""));
  CHECK(route("acme.example/a%20b").starts_with("must have paths that are not percent-encoded"));
  CHECK(route("acme.example/%2e%2e").starts_with("must have paths that are not percent-encoded"));
  for (const char* text : {"acme.example/a b", "acme.example/a?b", "acme.example/a#b", "acme.example/a\\b",
                           "acme.example/\xc3\xa9", "acme.example/a\n"}) {
    CAPTURE(text);
    CHECK(route(text).starts_with("must have paths of letters, digits and"));
  }
  CHECK(route("http://acme.example/").starts_with("must have routes such as \"acme.example/blog\""));
  CHECK(route("acme.example:8080/x").starts_with("must have hosts without a port"));
  CHECK(route("/blog").starts_with("must have hosts of labels"));
}

TEST_CASE("a route's prefix has a cap") {
  CHECK(route("a/" + std::string(253, 'x')) == "a|/" + std::string(253, 'x'));
  CHECK(route("a/" + std::string(254, 'x')).starts_with("must have paths of at most 254 characters"));
}

TEST_CASE("a static prefix begins and ends with a slash") {
  CHECK(parse_static_prefix("/static/").value().view() == "/static/");
  CHECK(parse_static_prefix("/a/b/").value().view() == "/a/b/");
  CHECK(parse_static_prefix("/" + std::string(253, 'x') + "/").ok());
  for (const std::string& text : {std::string(), std::string("/"), std::string("//"), std::string("static"),
                                  std::string("/static"), std::string("static/")}) {
    CAPTURE(text);
    CHECK(problem_of(parse_static_prefix(text))
              .starts_with("must have prefixes that begin and end with a slash"));
  }
  for (const std::string& text :
       {std::string("/a//"), std::string("/../"), std::string("/./"), std::string("/a%41/"),
        std::string("/a b/"), "/" + std::string(254, 'x') + "/"}) {
    CAPTURE(text);
    CHECK(problem_of(parse_static_prefix(text)).starts_with("must have paths"));
  }
}

TEST_CASE("a listening address is an IP address and a port") {
  const auto v4 = parse_listen_address("192.0.2.1:80");
  REQUIRE(v4.ok());
  CHECK_FALSE(v4.value().ipv6);
  CHECK(v4.value().port == 80);
  CHECK(v4.value().address == std::array<std::uint8_t, 16>{192, 0, 2, 1});
  const auto v6 = parse_listen_address("[2001:db8::1]:65535");
  REQUIRE(v6.ok());
  CHECK(v6.value().ipv6);
  CHECK(v6.value().port == 65535);
  CHECK(v6.value().address ==
        std::array<std::uint8_t, 16>{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  for (const char* text : {"",
                           ":80",
                           "80",
                           "0.0.0.0",
                           "0.0.0.0:",
                           "0.0.0.0:0",
                           "0.0.0.0:65536",
                           "0.0.0.0:080",
                           "0.0.0.0:-1",
                           "localhost:80",
                           "*:80",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[]:80",
                           "[0.0.0.0]:80",
                           "1.2.3:80",
                           "01.2.3.4:80",
                           "256.1.1.1:80",
                           "[fe80::1%eth0]:80",
                           " 0.0.0.0:80"}) {
    CAPTURE(text);
    CHECK(problem_of(parse_listen_address(text))
              .starts_with("must be an IP address and a port from 1 to 65535"));
  }
}
