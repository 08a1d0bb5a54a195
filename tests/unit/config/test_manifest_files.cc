#include <doctest/doctest.h>
#include <unistd.h>

#include "config/manifest_files.h"
#include "config/safe_open.h"
#include "scratch.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

struct FilesFixture {
  Scratch scratch;
  Home home;
  FilesFixture() {
    home = {scratch.make_directory("home"), {}, ::geteuid()};
    home.directory = open_home(home.path, home.owner).take();
  }
  // The sentences about an app with `keys` besides its routes.
  [[nodiscard]] std::string refused(std::string_view keys) const {
    return sentences("apps: {a: {routes: [a.b], " + std::string(keys) + "}}",
                     [&](const Node& root, Diagnostics& diagnostics) {
                       const std::vector<App> apps = read_manifest(root, {}, diagnostics);
                       REQUIRE(diagnostics.empty());
                       static_cast<void>(open_app_files(apps.at(0), home, diagnostics));
                     });
  }
};

}  // namespace

TEST_CASE_FIXTURE(FilesFixture, "what an app names must exist") {
  scratch.make_directory("home/blog");
  scratch.write("home/file", "");
  CHECK(refused("wsgi: a:b") == "");
  CHECK(refused("wsgi: a:b, directory: blog") == "");
  CHECK(refused("wsgi: a:b, directory: shop") == "1:49: \"directory\" names \"shop\", which does not exist");
  CHECK(refused("wsgi: a:b, directory: file") ==
        "1:49: \"directory\" names \"file\", which is not a directory");
  CHECK(refused("wsgi: app.wsgi") == "1:33: \"wsgi\" names \"app.wsgi\", which does not exist");
  CHECK(refused("wsgi: a:b, virtualenv: v") == "1:50: \"virtualenv\" names \"v\", which does not exist");
}

TEST_CASE_FIXTURE(FilesFixture, "a script that is looked for beside its directory is found by the sentence") {
  scratch.make_directory("home/blog");
  scratch.write("home/blog/app.wsgi", "");
  CHECK(refused("wsgi: blog/app.wsgi, directory: blog") == "");
  CHECK(refused("wsgi: app.wsgi, directory: blog") ==
        "1:33: \"wsgi\" names \"app.wsgi\", which does not exist; it is relative to the home: did you mean "
        "\"blog/app.wsgi\"?");
}

TEST_CASE_FIXTURE(FilesFixture, "a virtualenv has its configuration") {
  scratch.make_directory("home/v");
  CHECK(refused("wsgi: a:b, virtualenv: v") ==
        "1:50: \"virtualenv\" names \"v\", which is no virtualenv: its pyvenv.cfg does not exist");
  scratch.write("home/v/pyvenv.cfg", "home = /usr/bin\n");
  CHECK(refused("wsgi: a:b, virtualenv: v") == "");
}

TEST_CASE_FIXTURE(FilesFixture, "symbolic links are named as the reason") {
  scratch.make_directory("home/real");
  scratch.link("real", "home/current");
  CHECK(refused("wsgi: a:b, directory: current") ==
        "1:49: \"directory\" names \"current\", which is not a directory (symbolic links are not followed)");
  CHECK(refused("wsgi: a:b, static: {/s/: current}") ==
        "1:52: \"/s/\" names \"current\", which is not a directory (symbolic links are not followed)");
}

TEST_CASE_FIXTURE(FilesFixture, "static directories are opened in the order of the manifest") {
  scratch.make_directory("home/one");
  scratch.make_directory("home/two");
  Diagnostics diagnostics;
  const auto root =
      parse_yaml("apps: {a: {routes: [a.b], wsgi: a:b, static: {/2/: two, /1/: one}}}", diagnostics);
  const std::vector<App> apps = read_manifest(*root, {}, diagnostics);
  const std::vector<UniqueFd> statics = open_app_files(apps.at(0), home, diagnostics);
  CHECK(diagnostics.empty());
  REQUIRE(statics.size() == 2);
  const auto leads_to = [](const UniqueFd& fd) {
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd.get())).string();
  };
  CHECK(leads_to(statics[0]) == scratch.path("home/two"));
  CHECK(leads_to(statics[1]) == scratch.path("home/one"));
  home.owner = 64'099;
  CHECK(open_app_files(apps.at(0), home, diagnostics).empty());
  CHECK(diagnostics.lines("f").size() == 2);
}

TEST_CASE("a worker part has absolute paths") {
  Diagnostics diagnostics;
  const auto root = parse_yaml(
      "apps:\n  a: {routes: [a.b], wsgi: x/y.py, directory: x, virtualenv: v}\n  b: {routes: [c.d], wsgi: "
      "a:b}\n",
      diagnostics);
  const std::vector<App> apps = read_manifest(*root, {"acme", "", "3.11"}, diagnostics);
  REQUIRE(apps.size() == 2);
  const proto::WorkerPart script = complete_worker_part(apps[0], "/home/acme");
  CHECK(script.home == "/home/acme");
  CHECK(script.module == "/home/acme/x/y.py");
  CHECK(script.attribute == "application");
  CHECK(script.directory == "/home/acme/x");
  CHECK(script.virtualenv == "/home/acme/v");
  CHECK(script.environment.empty());
  const proto::WorkerPart module = complete_worker_part(apps[1], "/home/acme");
  CHECK(module.module == "a");
  CHECK(module.directory == "/home/acme");
  CHECK(module.virtualenv == "");
}
