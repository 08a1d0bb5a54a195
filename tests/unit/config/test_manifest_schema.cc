#include <doctest/doctest.h>

#include "config/manifest_schema.h"
#include "config/quantities.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

const ManifestOwner kOwner{"acme", "acme-user", "3.11"};

std::string refused(std::string_view text) {
  return sentences(text, [&](const Node& root, Diagnostics& diagnostics) {
    static_cast<void>(read_manifest(root, kOwner, diagnostics));
  });
}

// An app that is good but for `lines`, which begin in line 5.
std::string refused_app(std::string_view lines) {
  std::string text = "apps:\n  blog:\n    routes: [a.b]\n    wsgi: a:b\n";
  return refused(text + "    " + std::string(lines) + "\n");
}

std::vector<App> good(std::string_view text) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(text, diagnostics);
  REQUIRE(root);
  std::vector<App> apps = read_manifest(*root, kOwner, diagnostics);
  CHECK(diagnostics.lines("f") == std::vector<std::string>{});
  return apps;
}

App good_app(std::string_view lines) {
  return good("apps:\n  blog:\n    routes: [a.b]\n    wsgi: a:b\n    " + std::string(lines) + "\n").at(0);
}

using Environment = std::vector<std::pair<std::string, std::string>>;

}  // namespace

TEST_CASE("the smallest app has the documented defaults") {
  const App app =
      good("apps:\n  site:\n    { routes: [acme.example], wsgi: 'site.wsgi:application' }\n").at(0);
  const proto::AppRecord& record = app.record;
  CHECK(record.name.view() == "site");
  CHECK(record.python.view() == "3.11");
  CHECK(record.workers_min == 1);
  CHECK(record.workers_max == 1);
  CHECK(record.threads == 1);
  CHECK(record.memory_bytes == 0);
  CHECK(record.body_bytes == 10 * 1024 * 1024);
  CHECK(record.startup_ms == 15'000);
  CHECK(record.request_ms == 60'000);
  CHECK(record.queue_ms == 45'000);
  CHECK(record.graceful_ms == 15'000);
  CHECK(record.shutdown_ms == 5'000);
  CHECK(record.retry == proto::RetryPolicy::kUnstarted);
  REQUIRE(app.routes.size() == 1);
  CHECK(app.routes[0].host.view() == "acme.example");
  CHECK(app.routes[0].prefix.view() == "");
  CHECK(app.statics.empty());
  CHECK(app.directory.path == ".");
  CHECK(app.virtualenv.path == "");
  CHECK(app.script.path == "");
  CHECK(app.part.kind == proto::CallableKind::kModule);
  CHECK(app.part.module == "site.wsgi");
  CHECK(app.part.attribute == "application");
  CHECK(app.part.tenant == "acme");
  CHECK(app.part.app == "site");
  CHECK(app.part.python == "3.11");
  CHECK(app.part.threads == 1);
  CHECK(app.part.environment == Environment{{"USER", "acme-user"}, {"LOGNAME", "acme-user"}});
}

TEST_CASE("every key of an app is read") {
  const App app = good(R"(
apps:
  blog:
    routes: [acme.example, www.acme.example/blog/]
    wsgi: blog/app.wsgi
    directory: blog/
    python: 3.10
    virtualenv: blog/.venv
    env: { A: x, PORT: 8000, DEBUG: true, EMPTY: "", USER: other, TEXT: "a=b\nc" }
    workers: { min: 2, max: 4 }
    threads: 8
    static: { /static/: blog/static, /media/: media/ }
    limits: { memory: 128M, cpu: 50%, pids: 32, body: 20M }
    timeouts: { startup: 500ms, request: 2m, queue: 1s, graceful: 10ms, shutdown: 1s }
    retry: idempotent
)")
                      .at(0);
  CHECK(app.routes[1].prefix.view() == "/blog");
  CHECK(app.record.retry == proto::RetryPolicy::kIdempotent);
  CHECK(app.part.kind == proto::CallableKind::kScript);
  CHECK(app.part.module == "");
  CHECK(app.script.path == "blog/app.wsgi");
  CHECK(app.directory.path == "blog");
  CHECK(app.record.python.view() == "3.10");
  CHECK(app.part.python == "3.10");
  CHECK(app.virtualenv.path == "blog/.venv");
  CHECK(app.part.environment == Environment{{"USER", "other"},
                                            {"LOGNAME", "acme-user"},
                                            {"A", "x"},
                                            {"PORT", "8000"},
                                            {"DEBUG", "true"},
                                            {"EMPTY", ""},
                                            {"TEXT", "a=b\nc"}});
  CHECK(app.record.workers_min == 2);
  CHECK(app.record.workers_max == 4);
  CHECK(app.record.threads == 8);
  CHECK(app.part.threads == 8);
  REQUIRE(app.statics.size() == 2);
  CHECK(app.statics[0].prefix.view() == "/static/");
  CHECK(app.statics[1].directory.path == "media");
  CHECK(app.record.memory_bytes == 128ull * 1024 * 1024);
  CHECK(app.record.cpu_percent == 50);
  CHECK(app.record.pids == 32);
  CHECK(app.record.body_bytes == 20ull * 1024 * 1024);
  CHECK(app.record.startup_ms == 500);
  CHECK(app.record.request_ms == 120'000);
  CHECK(app.record.queue_ms == 1'000);
  CHECK(app.record.graceful_ms == 10);
  CHECK(app.record.shutdown_ms == 1'000);
}

TEST_CASE("a manifest may have no app yet") {
  CHECK(good("apps: {}\n").empty());
}

TEST_CASE("workers are a number or a range") {
  CHECK(good_app("workers: 3").record.workers_min == 3);
  CHECK(good_app("workers: 3").record.workers_max == 3);
  CHECK(good_app("workers: {min: 2}").record.workers_max == 2);
  CHECK(good_app("workers: {max: 2}").record.workers_min == 1);
  CHECK(refused_app("workers: 0") == "5:14: \"workers\" must be a whole number from 1 to 1024, not \"0\"");
  CHECK(refused_app("workers: [1, 2]") == "5:14: \"workers\" must be a single value, not a map or a list");
  CHECK(good_app("workers: {min: 0, max: 2}").record.workers_min == 0);
  CHECK(good_app("workers: {min: 0}").record.workers_max == 1);
  CHECK(contains(refused_app("workers: {min: 0, max: 0}"), "\"max\" must be a whole number from 1 to 1024"));
  CHECK(refused_app("workers: {min: 3, max: 2}") == "5:28: \"max\" must not be less than \"min\"");
  CHECK(refused_app("workers: {mn: 3}") == "5:15: unknown key \"mn\"; did you mean \"min\"?");
}

TEST_CASE("an app is WSGI, ASGI or looked at, and never two of them") {
  using proto::Interface;
  const auto app = [](std::string_view lines) {
    return good("apps: {blog: {routes: [a.b], " + std::string(lines) + "}}\n").at(0);
  };
  CHECK(app("wsgi: a:b").part.interface == Interface::kWsgi);
  CHECK(app("wsgi: a:b").record.concurrency == 0);
  CHECK(app("asgi: a:b").part.interface == Interface::kAsgi);
  CHECK(app("asgi: a:b").record.concurrency == 100);
  CHECK(app("app: a:b").part.interface == Interface::kDetect);
  CHECK(app("asgi: a:b, concurrency: 7").record.concurrency == 7);
  CHECK(contains(refused("apps: {blog: {routes: [a.b], wsgi: a:b, asgi: a:b}}\n"),
                 "\"asgi\" beside \"wsgi\": an app has one of them"));
  CHECK(contains(refused("apps: {blog: {routes: [a.b], wsgi: a:b, concurrency: 7}}\n"), "\"concurrency\" is for ASGI"));
  CHECK(contains(refused("apps: {blog: {routes: [a.b], asgi: a:b, threads: 7}}\n"), "\"threads\" is for WSGI"));
  CHECK(contains(refused("apps: {blog: {routes: [a.b], asgi: a:b, concurrency: 1025}}\n"), "1024"));
}

TEST_CASE("a factory is called create_app in a script file") {
  const App module = good("apps: {blog: {routes: [a.b], wsgi: 'a:make', factory: true}}\n").at(0);
  CHECK(module.part.role == proto::CallableRole::kFactory);
  CHECK(module.part.attribute == "make");
  CHECK(good("apps: {blog: {routes: [a.b], wsgi: app.wsgi, factory: true}}\n").at(0).part.attribute == "create_app");
  CHECK(good("apps: {blog: {routes: [a.b], wsgi: app.wsgi}}\n").at(0).part.role == proto::CallableRole::kApp);
}

TEST_CASE("routes and wsgi are required") {
  CHECK(refused("apps: {blog: {}}\n") ==
        "1:14: the key \"routes\" is missing\n1:14: the key \"wsgi\" is missing");
  CHECK(refused("apps: {blog: }\n") == "1:8: an app must be a map: { key: value }");
  CHECK(refused("apps: {blog: {routes: [], wsgi: a:b}}\n") == "1:23: \"routes\" must not be empty");
  CHECK(refused("app: {}\n") ==
        "1:1: unknown key \"app\"; did you mean \"apps\"?\n1:1: the key \"apps\" is missing");
  CHECK(refused("apps:\n") == "1:1: \"apps\" must be a map: { name: value }");
  CHECK(refused("[]\n") == "1:1: a manifest must be a map: { key: value }");
}

TEST_CASE("a route is claimed once in a manifest") {
  CHECK(
      refused("apps:\n  a: {routes: [x.y, x.y/a], wsgi: a:b}\n  b: {routes: [x.y/b, x.y/a/], wsgi: a:b}\n") ==
      "3:23: \"routes\" has \"x.y/a/\", which an app of this manifest has already");
  CHECK(contains(refused("apps: {a: {routes: ['HTTP://x'], wsgi: a:b}}\n"), "1:21: \"routes\" must have"));
}

TEST_CASE("paths stay below the home") {
  CHECK(refused_app("directory: /srv") ==
        "5:16: \"directory\" must be relative to the home, not the absolute path \"/srv\"");
  CHECK(refused_app("virtualenv: ../v") == "5:17: \"virtualenv\" must not contain \"..\", as \"../v\" does");
  CHECK(refused_app("static: {/s/: /etc}") ==
        "5:19: \"/s/\" must be relative to the home, not the absolute path \"/etc\"");
  CHECK(refused_app("static: {/s: x}") ==
        "5:14: \"static\" must have prefixes that begin and end with a slash, such as \"/static/\", not "
        "\"/s\"");
  CHECK(refused_app("static: {/s/: [x]}") == "5:19: \"/s/\" must be a single value, not a map or a list");
  CHECK(refused_app("static: [x]") == "5:13: \"static\" must be a map: { name: value }");
}

TEST_CASE("variables have names and single values") {
  CHECK(
      refused_app("env: {LD_PRELOAD: x.so}") ==
      "5:11: \"LD_PRELOAD\" cannot be set: names that begin with LD_, PYTHON or ROWHOUSE_ are not the app's");
  CHECK(refused_app("env: {A-B: x}") ==
        "5:11: \"A-B\" is no name of an environment variable: letters, digits and \"_\", not a digit first");
  CHECK(refused_app("env: {A: [1]}") == "5:14: \"A\" must be a single value; \"\" for an empty one");
  CHECK(refused_app("env: {A: ~}") == "5:11: \"A\" must be a single value; \"\" for an empty one");
  CHECK(refused_app("env: [A]") == "5:10: \"env\" must be a map: { name: value }");
  CHECK(refused_app("env: {A: \"\\0\"}") == "5:14: a text must not contain a NUL byte");
}

TEST_CASE("preload is a flag, and off where nothing is said") {
  CHECK_FALSE(good_app("threads: 1").record.preload);
  CHECK(good_app("preload: true").record.preload);
  CHECK_FALSE(good_app("preload: false").record.preload);
  CHECK(refused_app("preload: maybe") != "");
}

TEST_CASE("retry has two values") {
  CHECK(good_app("retry: unstarted").record.retry == proto::RetryPolicy::kUnstarted);
  CHECK(refused_app("retry: always") == "5:12: \"retry\" must be unstarted or idempotent");
}

TEST_CASE("an app that reloads at a touch names the files that are looked at") {
  const auto touches = [](const App& app) {
    std::vector<std::string> paths;
    for (const proto::TouchRecord& touch : app.touches) paths.push_back(touch.path.str());
    return paths;
  };
  using Paths = std::vector<std::string>;
  CHECK(touches(good_app("reload: manual")) == Paths{});
  CHECK(touches(good_app("threads: 1")) == Paths{});
  CHECK(touches(good_app("reload: touch")) == Paths{"tmp/restart.txt", "a.py", "a/__init__.py"});
  const std::string head = "apps:\n  blog:\n    routes: [a.b]\n    directory: blog\n    reload: touch\n    ";
  CHECK(touches(good(head + "asgi: blog.asgi:app\n").at(0)) ==
        Paths{"blog/tmp/restart.txt", "blog/blog/asgi.py", "blog/blog/asgi/__init__.py"});
  CHECK(touches(good(head + "wsgi: blog/app.wsgi\n").at(0)) == Paths{"blog/tmp/restart.txt", "blog/app.wsgi"});
  CHECK(refused_app("reload: always") == "5:13: \"reload\" must be touch or manual");
  std::string deep = "d";
  for (int i = 0; i < 506; ++i) deep += "/d";
  CHECK(contains(refused_app("directory: " + deep + "\n    reload: touch"), "\"reload\" would look at"));
}

TEST_CASE("limits and timeouts have units and ranges") {
  CHECK(contains(refused_app("limits: {memory: 1M}"),
                 "\"memory\" must be a size with a unit (K, M, G, T) from 16M to 16T"));
  CHECK(contains(refused_app("limits: {body: max}"),
                 "\"body\" must be a size with a unit (K, M, G, T) from 1K to 1T"));
  CHECK(contains(refused_app("timeouts: {startup: 2h}"),
                 "\"startup\" must be a duration with a unit (ms, s, m, h) from 100ms to 1h"));
  CHECK(contains(refused_app("timeouts: {request: 60}"),
                 "\"request\" must be a duration with a unit (ms, s, m, h) from 100ms to 24h"));
  CHECK(contains(refused_app("timeouts: {queue: 1ms}"),
                 "\"queue\" must be a duration with a unit (ms, s, m, h) from 10ms to 1h"));
  CHECK(contains(refused_app("timeouts: {graceful: 0s}"),
                 "\"graceful\" must be a duration with a unit (ms, s, m, h) from 10ms to 1h"));
  CHECK(contains(refused_app("timeouts: {shutdown: 11m}"),
                 "\"shutdown\" must be a duration with a unit (ms, s, m, h) from 10ms to 10m"));
  CHECK(contains(refused_app("timeouts: {idle: 25h}"),
                 "\"idle\" must be a duration with a unit (ms, s, m, h) from 100ms to 24h"));
  CHECK(contains(refused_app("timeouts: {health: 1ms}"), "\"health\" must be a duration"));
  CHECK(refused_app("threads: 257") == "5:14: \"threads\" must be a whole number from 1 to 256, not \"257\"");
  CHECK(contains(refused_app("python: python3"), "\"python\" must be a Python version"));
}

TEST_CASE("a worker's end and its health check are read") {
  const proto::AppRecord record =
      good_app("health: {path: /up/z, interval: 3s}\n    timeouts: {health: 2s, idle: 3m}\n    max_requests: 100\n"
               "    max_lifetime: 12h\n    max_memory: 64M")
          .record;
  CHECK(record.health_path.view() == "/up/z");
  CHECK(record.health_interval_ms == 3'000);
  CHECK(record.health_ms == 2'000);
  CHECK(record.idle_ms == 180'000);
  CHECK(record.max_requests == 100);
  CHECK(record.max_lifetime_ms == 12 * 3'600'000);
  CHECK(record.max_memory_bytes == 64 * kMebibyte);
  const proto::AppRecord plain = good_app("threads: 1").record;
  CHECK(plain.health_path.empty());
  CHECK(plain.max_requests + plain.max_lifetime_ms + plain.max_memory_bytes == 0);
  CHECK(good_app("health: {path: /}").record.health_path.view() == "/");
}

TEST_CASE("a health check must name a plain path") {
  CHECK(contains(refused_app("health: {interval: 3s}"), "\"path\""));
  for (const char* path : {"healthz", "/a//b", "/a/../b", "/a%20b", "'/a?b=c'", "'/a b'"}) {
    CAPTURE(path);
    CHECK(contains(refused_app(std::string("health: {path: ") + path + "}"), "\"path\" must"));
  }
  CHECK(contains(refused_app("health: {path: /, interval: 10ms}"), "\"interval\" must be a duration"));
  CHECK(contains(refused_app("max_requests: 0"), "\"max_requests\" must be a whole number"));
}

TEST_CASE("everything that an author names has a cap") {
  const auto many = [](std::size_t count, auto item) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += item(std::to_string(i)) + ", ";
    return text;
  };
  CHECK(contains(
      refused("apps: {" +
              many(65, [](const auto& n) { return "a" + n + ": {routes: [a.b/" + n + "], wsgi: a:b}"; }) +
              "}"),
      "\"apps\" must have at most 64 entries"));
  CHECK(contains(refused_app("static: {" + many(17, [](const auto& n) { return "/" + n + "/: x"; }) + "}"),
                 "\"static\" must have at most 16 entries"));
  CHECK(contains(refused_app("env: {" + many(257, [](const auto& n) { return "A" + n + ": x"; }) + "}"),
                 "\"env\" must have at most 256 entries"));
  CHECK(contains(
      refused("apps: {a: {wsgi: a:b, routes: [" + many(65, [](const auto& n) { return "a.b/" + n; }) + "]}}"),
      "\"routes\" must have at most 64 entries"));
}

// S05: there is no key by which a tenant could reach for more than its plan.
TEST_CASE("privileged wishes are refused field by field") {
  const std::string text = refused(R"(uid: 0
seccomp: off
apps:
  blog:
    routes: [a.b]
    wsgi: a:b
    user: root
    cgroup: /
    seccomp: off
    env: { LD_PRELOAD: x }
    limits: { memory: max, swap: 1G }
)");
  for (const char* sentence :
       {"1:1: unknown key \"uid\"", "2:1: unknown key \"seccomp\"", "7:5: unknown key \"user\"",
        "8:5: unknown key \"cgroup\"", "9:5: unknown key \"seccomp\"", "10:12: \"LD_PRELOAD\" cannot be set",
        "11:23: \"memory\" must be a size", "11:28: unknown key \"swap\""}) {
    CAPTURE(text);
    CHECK(contains(text, sentence));
  }
}

TEST_CASE("names of apps are names") {
  CHECK(
      contains(refused("apps: {Blog: {routes: [a.b], wsgi: a:b}}"), "1:8: an app must be a name of 1 to 63"));
}
