// What a hostile tenant puts in the place of its manifest, against the real loader as that tenant (S01 to
// S06). REQUIRES: root.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>

#include "tenant_fixture.h"

using namespace rowhouse;
using namespace rowhouse::config;

TEST_CASE_FIXTURE(TenantFixture, "S01: a manifest that is a symbolic link shows no byte of its target") {
  scratch.write("secret", "apps: { marker: 1 }\n");
  ::chmod(scratch.path("secret").c_str(), 0644);
  scratch.link(scratch.path("secret"), "home/rowhouse.yaml");
  scratch.link("/etc/shadow", "home/shadow.yaml");
  LoaderProcess loader(kTenantUid);
  CHECK(loader.load_manifest(home).sentences ==
        home + "/rowhouse.yaml:1:1: the manifest is not a regular file (symbolic links are not followed)\n");
  CHECK(loader.load_manifest(home, "shadow.yaml").sentences ==
        home + "/shadow.yaml:1:1: the manifest is not a regular file (symbolic links are not followed)\n");
}

TEST_CASE_FIXTURE(TenantFixture, "S01: a hard link to a file of root opens no door") {
  scratch.write("secret", "marker: 1\n");
  ::chmod(scratch.path("secret").c_str(), 0600);
  std::filesystem::create_hard_link(scratch.path("secret"), home + "/rowhouse.yaml");
  LoaderProcess loader(kTenantUid);
  CHECK(loader.load_manifest(home).sentences ==
        home + "/rowhouse.yaml:1:1: the manifest cannot be opened: Permission denied\n");
}

TEST_CASE_FIXTURE(TenantFixture, "S02: a manifest that is a FIFO is refused at once") {
  scratch.make_fifo("home/rowhouse.yaml");
  scratch.give_to(kTenantUid);
  LoaderProcess loader(kTenantUid);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(loader.load_manifest(home).sentences ==
        home + "/rowhouse.yaml:1:1: the manifest is not a regular file\n");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

TEST_CASE_FIXTURE(TenantFixture, "S03: a huge sparse manifest is refused by reading, in no time") {
  scratch.write("home/rowhouse.yaml", "apps: {}\n");
  std::filesystem::resize_file(home + "/rowhouse.yaml", 10ull << 30);
  scratch.give_to(kTenantUid);
  LoaderProcess loader(kTenantUid);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(loader.load_manifest(home).sentences ==
        home + "/rowhouse.yaml:1:1: the file is larger than 65536 bytes\n");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(2));
}

namespace {

// Swaps home/conf between a directory and a link to `outside` until it is killed.
pid_t start_swapping(const std::string& home, const std::string& outside) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const std::string conf = home + "/conf", aside = home + "/aside";
  for (;;) {
    ::rename(conf.c_str(), aside.c_str());
    static_cast<void>(!::symlink(outside.c_str(), conf.c_str()));
    ::unlink(conf.c_str());
    ::rename(aside.c_str(), conf.c_str());
  }
}

}  // namespace

TEST_CASE_FIXTURE(TenantFixture, "S04: a directory that is swapped for a link never leads outside") {
  scratch.make_directory("home/conf");
  scratch.write("home/conf/rowhouse.yaml", "apps: { inside: { routes: [a.b], wsgi: a:b } }\n");
  scratch.make_directory("outside");
  scratch.write("outside/rowhouse.yaml", "apps: { outside: { routes: [a.b], wsgi: a:b } }\n");
  scratch.give_to(kTenantUid);
  LoaderProcess loader(kTenantUid);
  const pid_t swapper = start_swapping(home, scratch.path("outside"));
  int inside = 0, refused = 0, outside = 0;
  // Until both sides of the race have been met, and often.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int i = 0; i < 1000 || inside == 0 || refused == 0; ++i) {
    if (std::chrono::steady_clock::now() > deadline) break;
    const Answer answer = loader.load_manifest(home, "conf/rowhouse.yaml");
    const bool names_inside =
        answer.loaded && as<proto::AppRecord>(answer.records.at(0)).name.view() == "inside";
    if (names_inside) {
      ++inside;
    } else if (answer.loaded || contains(answer.sentences, "outside:")) {
      ++outside;
    } else {
      ++refused;
    }
  }
  ::kill(swapper, SIGKILL);
  ::waitpid(swapper, nullptr, 0);
  CHECK(outside == 0);
  CHECK(inside > 0);
  CHECK(refused > 0);
}

TEST_CASE_FIXTURE(TenantFixture, "S06: bombs end in a sentence and the loader lives on") {
  LoaderProcess loader(kTenantUid);
  for (const std::string& bomb :
       {std::string(65'000, '['), std::string(65'000, '{'), std::string("a: \xff\xfe"),
        std::string("a: 1e400\n"), std::string(60'000, '\n') + "&", std::string("\0", 1)}) {
    scratch.write("home/rowhouse.yaml", bomb);
    const Answer answer = loader.load_manifest(home);
    CHECK_FALSE(answer.loaded);
    CHECK(answer.sentences.starts_with(home + "/rowhouse.yaml:"));
  }
  std::string many;
  for (int i = 0; i < 9'000; ++i) many += "k" + std::to_string(i) + ":\n";
  scratch.write("home/rowhouse.yaml", many);
  CHECK(contains(loader.load_manifest(home).sentences, "more errors are left out\n"));
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture, "long sentences are cut at a line's end to the cap") {
  std::string keys;
  for (int i = 0; i < 20; ++i) keys += std::string(70, 'k') + std::to_string(i) + ": 1\n";
  const std::string deep = "home/" + std::string(200, 'd');
  scratch.make_directory(deep);
  scratch.write(deep + "/m.yaml", keys);
  scratch.give_to(kTenantUid);
  LoaderProcess loader(kTenantUid);
  const Answer answer = loader.load_manifest(home, std::string(200, 'd') + "/m.yaml");
  CHECK(answer.sentences.size() <= proto::kMaxErrorTextBytes);
  CHECK(answer.sentences.size() > proto::kMaxErrorTextBytes / 2);
  CHECK(answer.sentences.ends_with("apps\n"));
}

TEST_CASE_FIXTURE(TenantFixture, "the home is the tenant's own directory") {
  furnish();
  scratch.link("home", "alias");
  LoaderProcess loader(kTenantUid);
  CHECK(contains(loader.load_manifest(scratch.path("alias")).sentences,
                 "is not a directory (symbolic links are not followed)"));
  CHECK(contains(loader.load_manifest(scratch.path()).sentences,
                 "the home \"" + scratch.path() + "\" is owned by uid 0, not by the tenant (uid 64101)"));
  CHECK(contains(loader.load_manifest("/proc/self/root" + home).sentences, "is not a directory"));
}

TEST_CASE_FIXTURE(TenantFixture, "a home or manifest that is no path of its kind is refused") {
  furnish();
  LoaderProcess loader(kTenantUid);
  CHECK(contains(loader.load_manifest("home").sentences,
                 ":1:1: the home must be an absolute path, not \"home\""));
  CHECK(contains(loader.load_manifest(home + "/../home").sentences, "the home must not contain \"..\""));
  CHECK(
      contains(loader.load_manifest(home, "/etc/passwd").sentences, "the manifest's path must be relative"));
  CHECK(contains(loader.load_manifest(home, "../home/rowhouse.yaml").sentences,
                 "the manifest's path must not contain \"..\""));
  CHECK(contains(loader.load_manifest(home, ".").sentences, "the manifest is not a regular file"));
}

TEST_CASE_FIXTURE(TenantFixture, "the loader reads as the tenant, not as root") {
  furnish();
  ::chmod((home + "/rowhouse.yaml").c_str(), 0);
  LoaderProcess loader(kTenantUid);
  CHECK(contains(loader.load_manifest(home).sentences, "the manifest cannot be opened: Permission denied"));
  LoaderProcess stranger(kTenantUid + 1);
  CHECK(contains(stranger.load_manifest(home).sentences,
                 "is owned by uid 64101, not by the tenant (uid 64102)"));
}

TEST_CASE_FIXTURE(TenantFixture, "a static directory of somebody else is not handed out") {
  furnish();
  REQUIRE(::chown((home + "/blog/static").c_str(), 0, 0) == 0);
  LoaderProcess loader(kTenantUid);
  CHECK(
      contains(loader.load_manifest(home).sentences,
               "\"/static/\" names \"blog/static\", which is owned by uid 0, not by the tenant (uid 64101)"));
}
