// What a manifest and the host file say to the gateways.
#include <doctest/doctest.h>

#include "config/addresses.h"
#include "config/gateway_schema.h"
#include "config/quantities.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

const ManifestOwner kOwner{"acme", "acme", "3.11"};

std::string manifest(std::string_view lines) {
  return "apps:\n  blog:\n    routes: [a.b]\n    wsgi: a:b\n    " + std::string(lines) + "\n";
}

std::string refused(std::string_view lines) {
  return sentences(manifest(lines), [&](const Node& root, Diagnostics& diagnostics) {
    static_cast<void>(read_manifest(root, kOwner, diagnostics));
  });
}

App good(std::string_view lines) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(manifest(lines), diagnostics);
  REQUIRE(root);
  std::vector<App> apps = read_manifest(*root, kOwner, diagnostics);
  CHECK(diagnostics.lines("f") == std::vector<std::string>{});
  return apps.at(0);
}

}  // namespace

TEST_CASE("a static prefix is a path, or a map of it and how its files are sent") {
  const App app = good(
      "static: { /a/: x, /b/: { directory: y, cache_control: no-cache, index: home.htm, fallback: app } }\n"
      "    cache_control: max-age=60");
  REQUIRE(app.statics.size() == 2);
  CHECK(app.statics[1].directory.path == "y");
  REQUIRE(app.gateway.statics.size() == 2);
  CHECK(app.gateway.statics[0].cache_control == "max-age=60");
  CHECK_FALSE(app.gateway.statics[0].fallback);
  CHECK(app.gateway.statics[1].cache_control == "no-cache");
  CHECK(app.gateway.statics[1].index == "home.htm");
  CHECK(app.gateway.statics[1].fallback);
}

TEST_CASE("what is wrong with a static prefix is said where it stands") {
  CHECK(contains(refused("static: { /a/: { cache_control: x } }"), "the key \"directory\" is missing"));
  CHECK(contains(refused("static: { /a/: { directory: x, index: a/b } }"), "\"index\" must be a file name"));
  CHECK(contains(refused("static: { /a/: { directory: x, index: .x } }"), "\"index\" must be a file name"));
  CHECK(
      contains(refused("static: { /a/: { directory: x, fallback: yes } }"), "\"fallback\" must be \"app\""));
  CHECK(contains(refused("static: { /a/: { directory: x, expires: 1d } }"), "unknown key \"expires\""));
  CHECK(contains(refused("cache_control: \"a\\r\\nX: y\""), "\"cache_control\" must be printable ASCII"));
}

TEST_CASE("a redirect is a route behind the app's own, with what it leads to") {
  const App app =
      good("redirect: { old.a.b: https://a.b, a.b/x: { to: /y, status: 307, keep_path: false } }");
  REQUIRE(app.routes.size() == 3);
  CHECK(app.routes[1].host.view() == "old.a.b");
  CHECK(app.routes[2].prefix.view() == "/x");
  REQUIRE(app.gateway.redirects.size() == 2);
  CHECK(app.gateway.redirects[0].route == 1);
  CHECK(app.gateway.redirects[0].status == 301);
  CHECK(app.gateway.redirects[0].keep_path);
  CHECK(app.gateway.redirects[1].route == 2);
  CHECK(app.gateway.redirects[1].status == 307);
  CHECK(app.gateway.redirects[1].target == "/y");
}

TEST_CASE("what is wrong with a redirect is said") {
  for (const char* target : {"a.b", "//a.b", "ftp://a.b", "'https://a.b/#x'", "'/a b'"}) {
    CAPTURE(target);
    CHECK(contains(refused("redirect: { old.a.b: " + std::string(target) + " }"),
                   "must be an address such as"));
  }
  CHECK(contains(refused("redirect: { a.b: /x }"), "which is a route of the app already"));
  CHECK(contains(refused("redirect: { old.a.b: { to: /x, status: 304 } }"),
                 "must be 301, 302, 303, 307 or 308"));
  CHECK(contains(refused("redirect: { old.a.b: '/x?y' }"), "needs keep_path: false"));
  CHECK(contains(refused("redirect: { Old.a.b: /x }"), "must have hosts in lower case"));
}

TEST_CASE("error pages are for statuses of errors, compression for content types") {
  const App app =
      good("error_pages: { 404: a.html, 5xx: b.html }\n    compress: { types: [text/html], min: 2K }");
  REQUIRE(app.pages.size() == 2);
  CHECK(app.pages[1].first_status == 500);
  CHECK(app.pages[1].last_status == 599);
  CHECK(app.pages[1].file.path == "b.html");
  CHECK(app.gateway.compress.enabled);
  CHECK(app.gateway.compress.min_bytes == 2048);
  CHECK(app.gateway.compress.types == std::vector<std::string>{"text/html"});
  CHECK(good("compress: true").gateway.compress.enabled);
  CHECK_FALSE(good("compress: false").gateway.compress.enabled);
  CHECK(contains(refused("error_pages: { 200: a.html }"), "must have statuses such as \"404\""));
  CHECK(contains(refused("error_pages: { 3xx: a.html }"), "must have statuses such as \"404\""));
  CHECK(contains(refused("compress: { types: [html] }"), "must have content types such as \"text/html\""));
  CHECK(contains(refused("compress: { level: 9 }"), "unknown key \"level\""));
}

TEST_CASE("proxies are addresses, networks or whoever comes over a UNIX socket") {
  CHECK(parse_trusted_proxy("192.0.2.7").value().bits == 32);
  CHECK(parse_trusted_proxy("10.0.0.0/8").value().bits == 8);
  CHECK(parse_trusted_proxy("2001:db8::/32").value().ipv6);
  CHECK(parse_trusted_proxy("2001:db8::1").value().bits == 128);
  CHECK(parse_trusted_proxy("unix").value().local);
  for (const char* text :
       {"", "10.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "proxy.example", "10.0.0.0/08"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_trusted_proxy(text).ok());
  }
  CHECK(parse_listen_address("unix:/run/x.sock").value().path.view() == "/run/x.sock");
  CHECK_FALSE(parse_listen_address("unix:x.sock").ok());
  CHECK_FALSE(parse_listen_address("unix:/" + std::string(107, 'x')).ok());
}

TEST_CASE("a rate is so many in each second") {
  CHECK(parse_rate("50/s", {1, 100}).value() == 50);
  for (const char* text : {"50", "50/m", "/s", "0/s", "101/s", "5.5/s", "50 /s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rate(text, {1, 100}).ok());
  }
}
