// LookAtManifest against the real loader: the watch that it leaves, and what it does not read twice.
#include <doctest/doctest.h>
#include <poll.h>

#include "base/foreign_files.h"
#include "loader_process.h"
#include "proto/live_messages.h"
#include "scratch.h"
#include "tenant_fixture.h"

namespace rowhouse::config {
namespace {

constexpr int kPatienceMs = 20'000;

struct Look {
  proto::FileIdentity identity;
  UniqueFd watch;
  Answer answer;
  bool unchanged = false;
};

Look look_at(LoaderProcess& loader, const std::string& home, const proto::FileIdentity& known) {
  proto::LookAtManifest request;
  request.tenant = request.user = proto::Name::cut("acme");
  request.home = proto::Path::cut(home);
  request.manifest = proto::Path::cut("rowhouse.yaml");
  request.default_python = proto::Text<15>::cut("3.11");
  request.known = known;
  loader.send(request);
  Look look;
  look.answer = loader.receive();
  auto& records = look.answer.records;
  while (!records.empty()) {
    proto::IncomingMessage& first = records.front();
    if (first.type == proto::MessageType::kManifestWatch) {
      look.watch = std::move(first.descriptors.front());
    } else if (first.type == proto::MessageType::kManifestIdentity) {
      look.identity = as<proto::ManifestIdentity>(first).identity;
    } else if (first.type == proto::MessageType::kUnchanged) {
      look.unchanged = true;
    } else {
      break;
    }
    records.erase(records.begin());
  }
  return look;
}

bool is_woken(const UniqueFd& watch, int wait_ms) {
  pollfd waiting{watch.get(), POLLIN, 0};
  return ::poll(&waiting, 1, wait_ms) == 1;
}

// A file that was just written has no identity yet: the loader is asked until it has.
proto::FileIdentity settled_identity(LoaderProcess& loader, const std::string& home) {
  for (int tries = 0; tries < 1000; ++tries) {
    const proto::FileIdentity identity = look_at(loader, home, {}).identity;
    if (identity != proto::FileIdentity{}) return identity;
    ::poll(nullptr, 0, 20);
  }
  FAIL("the file's times never settle");
  return {};
}

}  // namespace

TEST_CASE_FIXTURE(TenantFixture, "the known manifest is not read again, another one is") {
  furnish();
  LoaderProcess loader(kTenantUid);
  const proto::FileIdentity identity = settled_identity(loader, home);
  Look look = look_at(loader, home, identity);
  CHECK(look.unchanged);
  CHECK(look.answer.records.empty());
  scratch.write("home/rowhouse.yaml", "apps: {}\n");
  look = look_at(loader, home, identity);
  CHECK_FALSE(look.unchanged);
  CHECK(look.answer.loaded);
  CHECK(look.answer.source == "apps: {}\n");
  CHECK(look.identity != identity);
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture, "the watch is inotify's, wakes for the manifest and not for its neighbours") {
  furnish();
  LoaderProcess loader(kTenantUid);
  Look look = look_at(loader, home, {});
  REQUIRE(look.watch.valid());
  CHECK(is_inotify(look.watch.get()));
  scratch.write("home/other.txt", "x");
  CHECK_FALSE(is_woken(look.watch, 0));
  scratch.write("home/rowhouse.yaml", "apps: {}\n");
  CHECK(is_woken(look.watch, kPatienceMs));
  // Replaced by another file of the same name.
  look = look_at(loader, home, {});
  CHECK_FALSE(is_woken(look.watch, 0));
  scratch.write("home/new.yaml", "apps: {}\n");
  CHECK_FALSE(is_woken(look.watch, 0));
  REQUIRE(::rename((home + "/new.yaml").c_str(), (home + "/rowhouse.yaml").c_str()) == 0);
  CHECK(is_woken(look.watch, kPatienceMs));
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture, "a missing manifest is refused and watched for") {
  LoaderProcess loader(kTenantUid);
  const Look look = look_at(loader, home, {});
  CHECK(look.answer.sentences.find("does not exist") != std::string::npos);
  CHECK(look.identity == proto::FileIdentity{});
  REQUIRE(look.watch.valid());
  scratch.write("home/rowhouse.yaml", "apps: {}\n");
  CHECK(is_woken(look.watch, kPatienceMs));
  CHECK(loader.finish() == 0);
}

}  // namespace rowhouse::config
