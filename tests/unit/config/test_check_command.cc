#include <doctest/doctest.h>

#include <sstream>

#include "config/check_command.h"
#include "scratch.h"
#include "sentences.h"

using namespace rowhouse::config;

namespace {

struct CheckFixture {
  Scratch scratch;
  std::ostringstream out;

  int check(std::vector<std::string_view> arguments) {
    out.str("");
    const auto options = parse_check_options(arguments);
    return options ? run_check(*options, FixedUsers(), out) : 2;
  }
};

FileKind kind_of(std::string_view text) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(text, diagnostics);
  REQUIRE(root);
  return detect_kind(*root);
}

constexpr std::string_view kGoodTenant = "user: acme\nplan: p\n";
constexpr std::string_view kGoodManifest = "apps: {a: {routes: [a.b], wsgi: a:b}}\n";
constexpr std::string_view kGoodHost = "listen: [{http: '0.0.0.0:80'}]\nplans: {p: {memory: 64M}}\n";

}  // namespace

TEST_CASE("the keys of a file tell its kind") {
  CHECK(kind_of("apps: {}\n") == FileKind::kManifest);
  CHECK(kind_of("apps: {}\nuser: x\n") == FileKind::kManifest);
  for (const char* key : {"domains", "plan", "user", "uid", "gid", "home", "manifest"}) {
    CAPTURE(key);
    CHECK(kind_of(std::string(key) + ": x\n") == FileKind::kTenant);
  }
  CHECK(kind_of("listen: []\n") == FileKind::kHost);
  CHECK(kind_of("[]\n") == FileKind::kHost);
}

TEST_CASE_FIXTURE(CheckFixture, "good files of every kind say nothing and are 0") {
  const std::string host = scratch.write("h.yaml", kGoodHost);
  const std::string tenant = scratch.write("acme.yaml", kGoodTenant);
  const std::string manifest = scratch.write("m.yaml", kGoodManifest);
  CHECK(check({host, tenant, manifest}) == 0);
  CHECK(out.str() == "");
  CHECK(check({"--kind", "host", host}) == 0);
  CHECK(check({"--kind", "tenant", tenant}) == 0);
  CHECK(check({"--kind", "manifest", manifest}) == 0);
}

TEST_CASE_FIXTURE(CheckFixture, "every sentence of every file is a line and makes it 1") {
  const std::string tenant = scratch.write("acme.yaml", "user: ghost\nplan: P\n");
  const std::string manifest = scratch.write("m.yaml", "apps: {a: {}}\n");
  CHECK(check({tenant, manifest}) == 1);
  CHECK(out.str() ==
        tenant + ":1:7: \"user\" names \"ghost\", and this host has no such user\n" + tenant +
            ":2:7: \"plan\" must be a name of 1 to 63 characters a-z, 0-9 and \"-\" that does not begin "
            "with \"-\", not \"P\"\n" +
            manifest + ":1:11: the key \"routes\" is missing\n" + manifest +
            ":1:11: the key \"wsgi\" is missing\n");
  CHECK(check({"--kind", "tenant", manifest}) == 1);
  CHECK(contains(out.str(), "unknown key \"apps\""));
}

TEST_CASE_FIXTURE(CheckFixture, "a file that cannot be read is a sentence") {
  scratch.make_fifo("fifo");
  CHECK(check({scratch.path("missing")}) == 1);
  CHECK(out.str() ==
        scratch.path("missing") + ":1:1: the file cannot be read: open: No such file or directory\n");
  CHECK(check({scratch.path("fifo")}) == 1);
  CHECK(out.str() == scratch.path("fifo") + ":1:1: the file is not a regular file\n");
  CHECK(check({scratch.path()}) == 1);
  CHECK(check({scratch.write("large", std::string(65'537, '#'))}) == 1);
  CHECK(out.str() == scratch.path("large") + ":1:1: the file is larger than 65536 bytes\n");
  CHECK(check({scratch.write("empty", "")}) == 1);
  CHECK(out.str() == scratch.path("empty") + ":1:1: the file is empty\n");
}

TEST_CASE_FIXTURE(CheckFixture, "a file of exactly the cap is read") {
  const std::string text(kGoodTenant);
  CHECK(check({scratch.write("acme.yaml", text + std::string(65'536 - text.size(), '#'))}) == 0);
}

TEST_CASE_FIXTURE(CheckFixture, "a home makes the check look at the manifest's files") {
  scratch.make_directory("home");
  const std::string manifest = scratch.write("home/m.yaml", "apps: {a: {routes: [a.b], wsgi: app.wsgi}}\n");
  const std::string home = scratch.path("home");
  CHECK(check({manifest}) == 0);
  CHECK(check({"--home", home, manifest}) == 1);
  CHECK(out.str() == manifest + ":1:33: \"wsgi\" names \"app.wsgi\", which does not exist\n");
  scratch.write("home/app.wsgi", "");
  CHECK(check({"--home", home, manifest}) == 0);
  CHECK(check({"--home", scratch.path("nowhere"), manifest}) == 1);
  CHECK(contains(out.str(), "which does not exist") == false);
  CHECK(contains(out.str(), "the home \"" + scratch.path("nowhere") + "\" does not exist"));
}

TEST_CASE("arguments that are no usage are refused") {
  CHECK_FALSE(parse_check_options({}));
  CHECK_FALSE(parse_check_options({"--kind"}));
  CHECK_FALSE(parse_check_options({"--kind", "host"}));
  CHECK_FALSE(parse_check_options({"--kind", "plan", "f"}));
  CHECK_FALSE(parse_check_options({"f", "--home"}));
  CHECK_FALSE(parse_check_options({"--fix", "f"}));
  CHECK(parse_check_options({"f", "--kind", "auto"})->files == std::vector<std::string>{"f"});
}
