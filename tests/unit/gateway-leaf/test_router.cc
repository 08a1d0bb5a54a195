#include <doctest/doctest.h>

#include <chrono>

#include "gateway/router.h"

namespace rowhouse::gateway {
namespace {

// "7 /blog": the app and the prefix; "no host", "no route".
std::string route(const Router& router, std::string_view host, std::string_view path) {
  const RouteMatch match = router.find(host, path);
  if (match.kind == RouteMatch::Kind::kNoHost) return "no host";
  if (match.kind == RouteMatch::Kind::kNoRoute) return "no route";
  return std::to_string(match.app) + " " + std::string(path.substr(0, match.prefix_bytes));
}

TEST_CASE("the longest prefix on a segment boundary wins") {
  Router router;
  router.set_routes(1, {{"a.example", ""}});
  router.set_routes(2, {{"a.example", "/blog"}});
  router.set_routes(3, {{"a.example", "/blog/admin/x"}});
  CHECK(route(router, "a.example", "/") == "1 ");
  CHECK(route(router, "a.example", "/blog") == "2 /blog");
  CHECK(route(router, "a.example", "/blog/") == "2 /blog");
  CHECK(route(router, "a.example", "/blog/admin") == "2 /blog");
  CHECK(route(router, "a.example", "/blog/admin/x") == "3 /blog/admin/x");
  CHECK(route(router, "a.example", "/blog/admin/x/y/z") == "3 /blog/admin/x");
  CHECK(route(router, "a.example", "/blog/admin/xy") == "2 /blog");
  CHECK(route(router, "a.example", "/blogger") == "1 ");
  CHECK(route(router, "a.example", "/blo") == "1 ");
  CHECK(route(router, "a.example", "//blog") == "1 ");
  CHECK(route(router, "a.example", "/blog//admin/x") == "2 /blog");
}

TEST_CASE("a known host without a route for the path is told from an unknown host") {
  Router router;
  router.set_routes(1, {{"a.example", "/x"}});
  CHECK(route(router, "a.example", "/") == "no route");
  CHECK(route(router, "a.example", "/y/z") == "no route");
  CHECK(route(router, "b.example", "/x") == "no host");
  CHECK(route(router, "", "/x") == "no host");
  CHECK(route(router, "x.a.example", "/x") == "no host");
}

TEST_CASE("a wildcard matches one or more labels below, the exact host and the longer wildcard win") {
  Router router;
  router.set_routes(1, {{"*.acme.example", ""}});
  router.set_routes(2, {{"*.shop.acme.example", "/s"}, {"*.shop.acme.example", ""}});
  router.set_routes(3, {{"www.acme.example", "/only"}});
  CHECK(route(router, "acme.example", "/") == "no host");
  CHECK(route(router, "x.acme.example", "/") == "1 ");
  CHECK(route(router, "y.x.acme.example", "/") == "1 ");
  CHECK(route(router, "shop.acme.example", "/") == "1 ");
  CHECK(route(router, "x.shop.acme.example", "/") == "2 ");
  CHECK(route(router, "y.x.shop.acme.example", "/s/t") == "2 /s");
  CHECK(route(router, "www.acme.example", "/only/this") == "3 /only");
  CHECK(route(router, "www.acme.example", "/") == "no route");
  CHECK(route(router, "xacme.example", "/") == "no host");
  CHECK(route(router, "example", "/") == "no host");
}

TEST_CASE("routes are replaced and removed") {
  Router router;
  router.set_routes(1, {{"a.example", ""}, {"*.b.example", "/x"}});
  router.set_routes(1, {{"a.example", "/new"}});
  CHECK(route(router, "a.example", "/") == "no route");
  CHECK(route(router, "a.example", "/new") == "1 /new");
  CHECK(route(router, "z.b.example", "/x") == "no host");
  router.remove_app(1);
  CHECK(route(router, "a.example", "/new") == "no host");
  router.remove_app(1);
  router.set_routes(2, {});
  router.remove_app(2);
}

TEST_CASE("a route that moves is served at every moment, and only the owner's claim goes with it") {
  Router router;
  router.set_routes(1, {{"a.example", ""}});
  router.set_routes(2, {{"a.example", ""}});
  CHECK(route(router, "a.example", "/") == "2 ");
  router.set_routes(1, {{"a.example", "/rest"}});
  CHECK(route(router, "a.example", "/") == "2 ");
  router.set_routes(1, {{"a.example", ""}});
  CHECK(route(router, "a.example", "/") == "1 ");
  router.remove_app(1);
  CHECK(route(router, "a.example", "/") == "2 ");
}

TEST_CASE("a route that is named twice goes away as a whole") {
  Router router;
  router.set_routes(1, {{"a.example", "/x"}, {"a.example", "/x"}, {"*.a.example", ""}, {"*.a.example", ""}});
  CHECK(route(router, "a.example", "/x") == "1 /x");
  router.remove_app(1);
  CHECK(route(router, "a.example", "/x") == "no host");
  CHECK(route(router, "b.a.example", "/x") == "no host");
}

TEST_CASE("hosts of extreme form are looked up without harm") {
  Router router;
  router.set_routes(1, {{"*.a", ""}});
  std::string deep;
  for (int i = 0; i < 126; ++i) deep += "a.";
  CHECK(route(router, deep + "a", "/") == "1 ");
  CHECK(route(router, deep, "/") == "no host");
  CHECK(route(router, "...", "/") == "no host");
  CHECK(route(router, "*.a", "/") == "1 ");
  std::string deep_path;
  for (int i = 0; i < 4000; ++i) deep_path += "/a";
  CHECK(route(router, "b.a", deep_path) == "1 ");
}

// Nanoseconds per lookup of known and unknown hosts among `hosts` hosts, the best of several runs.
double lookup_cost(std::uint32_t hosts) {
  Router router;
  for (std::uint32_t i = 0; i < hosts; ++i) {
    const std::string host = "host-" + std::to_string(i) + ".example";
    router.set_routes(i, {{host, ""}, {host, "/api/v1"}, {"*." + host, ""}});
  }
  constexpr int kLookups = 4000;
  double best = 1e9;
  for (int run = 0; run < 20; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    std::uint32_t found = 0;
    for (int i = 0; i < kLookups; ++i) {
      found += router.find(i % 2 == 0 ? "host-7.example" : "x.host-3.example", "/api/v1/items/5").app;
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    REQUIRE(found == kLookups / 2 * 10);
    best = std::min(best, took.count() / kLookups);
  }
  return best;
}

TEST_CASE("ten thousand hosts cost what ten cost") {
  const double few = lookup_cost(10);
  const double many = lookup_cost(10'000);
  MESSAGE("ns per lookup: " << few << " with 10 hosts, " << many << " with 10,000");
  CHECK(many < few * 3 + 100);
}

}  // namespace
}  // namespace rowhouse::gateway
