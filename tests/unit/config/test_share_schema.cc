// Apps that share a process: `share` and `gil`.
#include <doctest/doctest.h>

#include "config/manifest_schema.h"
#include "config/share_schema.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

// Two apps of one share, each with one line of its own; the lines of the second are 7 to 9.
std::string two(std::string_view first, std::string_view second) {
  std::string text = "apps:\n";
  for (const auto& [name, line] : {std::pair<std::string_view, std::string_view>{"zoo", first}, {"ark", second}}) {
    text += "  " + std::string(name) + ":\n    routes: [a.b/" + std::string(name) + "]\n    wsgi: a:b\n    share: web\n";
    if (!line.empty()) text += "    " + std::string(line) + "\n";
  }
  return text;
}

std::vector<App> read(const std::string& text, std::string& refused) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(text, diagnostics);
  REQUIRE(root);
  std::vector<App> apps = read_manifest(*root, {"acme", "acme", "3.13"}, diagnostics);
  refused.clear();
  for (const std::string& line : diagnostics.lines("f")) refused += line + "\n";
  return apps;
}

std::string refusal(const std::string& text) {
  std::string refused;
  read(text, refused);
  return refused;
}

}  // namespace

TEST_CASE("apps of one share stand in the order of their names") {
  std::string refused;
  const std::vector<App> apps = read(two("threads: 2", "threads: 4") + "  other:\n    { routes: [a.b], wsgi: 'a:b' }\n", refused);
  CHECK(refused.empty());
  REQUIRE(apps.size() == 3);
  const auto share = share_of(apps[0], apps);
  REQUIRE(share.size() == 2);
  CHECK(share[0]->record.name.view() == "ark");
  CHECK(share[1]->record.name.view() == "zoo");
  CHECK(share_of(apps[2], apps).size() == 1);
  CHECK(apps[0].part.gil == proto::GilOwner::kProcess);
}

TEST_CASE("what is the process's own must be the same") {
  for (const std::string_view line : {"python: '3.12'", "virtualenv: env", "workers: 2", "limits: { memory: 64M }",
                                      "limits: { cpu: 50% }", "limits: { pids: 20 }", "timeouts: { startup: 2s }",
                                      "timeouts: { graceful: 2s }", "timeouts: { shutdown: 2s }", "timeouts: { idle: 2s }",
                                      "max_requests: 1000", "max_lifetime: 1h", "max_memory: 64M"}) {
    CAPTURE(line);
    CHECK(refusal(two(line, line)).empty());
    const std::string later = refusal(two("", line));
    CHECK(contains(later, "f:10:"));
    CHECK(contains(later, "must be what app \"zoo\" (line 5) of share \"web\" has: the apps of a share are one process"));
    // Where the app says nothing, the sentence stands where it shares.
    CHECK(contains(refusal(two(line, "")), "f:10:"));
  }
}

TEST_CASE("what is an app's own may differ") {
  for (const std::string_view line : {"threads: 3", "limits: { body: 1M }", "timeouts: { request: 5s, queue: 5s }",
                                      "retry: idempotent", "env: { A: b }", "directory: x", "health: { path: /h }",
                                      "gil: own", "reload: touch"}) {
    CAPTURE(line);
    CHECK(refusal(two("", line)).empty());
  }
}

TEST_CASE("a share has one health check") {
  const std::string refused = refusal(two("health: { path: /a }", "health: { path: /b }"));
  CHECK(contains(refused, "f:11:"));
  CHECK(contains(refused, "\"health\" is said by app \"zoo\" (line 5) of share \"web\" already"));
}

TEST_CASE("gil: own needs a share and Python 3.13") {
  CHECK(contains(refusal("apps:\n  a:\n    routes: [a.b]\n    wsgi: a:b\n    gil: own\n"), "f:5:10: \"gil\" is for apps that share"));
  const std::string old = refusal("apps:\n  a:\n    routes: [a.b]\n    wsgi: a:b\n    share: s\n    python: '3.12'\n    gil: own\n");
  CHECK(contains(old, "f:7:10: \"gil: own\" needs Python 3.13 or newer, and the app has 3.12"));
  CHECK(contains(refusal("apps:\n  a:\n    routes: [a.b]\n    wsgi: a:b\n    share: s\n    python: '3.9'\n    gil: own\n"), "and the app has 3.9"));
  CHECK(contains(refusal(two("gil: mine", "")), "must be shared or own"));
}

TEST_CASE("preload does not go with a share") {
  CHECK(contains(refusal(two("preload: true", "preload: true")), "f:6:14: \"preload\" does not go with \"share\""));
}

TEST_CASE("a share has at most eight apps") {
  std::string text = "apps:\n";
  for (char name = 'a'; name < 'a' + 9; ++name) {
    text += std::string("  ") + name + ": { routes: [a.b/" + name + "], wsgi: 'a:b', share: web }\n";
  }
  CHECK(contains(refusal(text), "share \"web\" has more than 8 apps"));
}
