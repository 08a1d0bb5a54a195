#include <doctest/doctest.h>

#include "config/paths.h"
#include "proto/limits.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

template <typename T>
std::string shown(const Parsed<T>& parsed) {
  return parsed.ok() ? parsed.value() : "! " + parsed.problem();
}

std::string callable(std::string_view text) {
  const auto parsed = parse_callable(text);
  if (!parsed.ok()) return parsed.problem();
  const bool script = parsed.value().kind == proto::CallableKind::kScript;
  return (script ? "script " : "module ") + parsed.value().module + " " + parsed.value().attribute;
}

}  // namespace

TEST_CASE("a relative path has one form") {
  CHECK(shown(parse_relative_path("blog")) == "blog");
  CHECK(shown(parse_relative_path("./blog//static/./x/")) == "blog/static/x");
  CHECK(shown(parse_relative_path(".")) == ".");
  CHECK(shown(parse_relative_path("./")) == ".");
  CHECK(shown(parse_relative_path("a..b/...")) == "a..b/...");
  CHECK(shown(parse_relative_path("caf\xc3\xa9 x")) == "caf\xc3\xa9 x");
}

TEST_CASE("a relative path cannot leave the home") {
  CHECK(shown(parse_relative_path("/etc")) ==
        "! must be relative to the home, not the absolute path \"/etc\"");
  for (const char* text : {"..", "../x", "a/..", "a/../b", "./..", "a//../.."}) {
    CAPTURE(text);
    CHECK(shown(parse_relative_path(text)).starts_with("! must not contain \"..\""));
  }
  CHECK(shown(parse_relative_path("")) == "! must be a path of 1 to 1023 bytes");
  CHECK(shown(parse_relative_path(std::string(1024, 'a'))) == "! must be a path of 1 to 1023 bytes");
  CHECK(shown(parse_relative_path("a\nb")).starts_with("! must not contain control characters"));
}

TEST_CASE("an absolute path has one form and is not the root") {
  CHECK(shown(parse_absolute_path("/var//lib/./rowhouse/")) == "/var/lib/rowhouse");
  CHECK(shown(parse_absolute_path("/")) == "! must not be the root directory");
  CHECK(shown(parse_absolute_path("//.")) == "! must not be the root directory");
  CHECK(shown(parse_absolute_path("var")) == "! must be an absolute path, not \"var\"");
  CHECK(shown(parse_absolute_path("/var/../etc")) == "! must not contain \"..\", as \"/var/../etc\" does");
  CHECK(shown(parse_absolute_path("")) == "! must be a path of 1 to 1023 bytes");
  CHECK(shown(parse_absolute_path("/" + std::string(proto::kMaxPathBytes, 'a')))
            .starts_with("! must be a path"));
  CHECK(shown(parse_absolute_path("/a\x1b")).starts_with("! must not contain control characters"));
}

TEST_CASE("wsgi names a module and a callable") {
  CHECK(callable("blog.wsgi:application") == "module blog.wsgi application");
  CHECK(callable("app:make.app") == "module app make.app");
  CHECK(callable("_a1:B_2") == "module _a1 B_2");
  for (const char* text : {"blog/wsgi.py:app", ":app", "blog:", "blog:app()", "blog:app:x", "1a:b", "a.:b",
                           ".a:b", "a..b:c", "a:b.", "a b:c", "a-b:c", "a:b c", "/abs.py:app"}) {
    CAPTURE(text);
    CHECK(callable(text).starts_with("must have dotted Python names on both sides of the \":\""));
  }
}

TEST_CASE("wsgi names a script file below the home") {
  CHECK(callable("app.wsgi") == "script app.wsgi application");
  CHECK(callable("./blog/passenger_wsgi.py") == "script blog/passenger_wsgi.py application");
  CHECK(callable("/srv/app.py").starts_with("must be relative to the home"));
  CHECK(callable("../app.py").starts_with("must not contain \"..\""));
  CHECK(callable("blog") ==
        "must be \"module:callable\" or a script file that ends with .wsgi or .py, not \"blog\"");
  CHECK(callable("app.php").starts_with("must be \"module:callable\""));
}
