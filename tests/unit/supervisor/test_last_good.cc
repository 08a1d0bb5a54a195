// What was accepted last, on disk: read back it is the same, and a file that cannot be right is none.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "supervisor/last_good.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
namespace fs = std::filesystem;
using Kind = LastGood::Kind;

namespace {

struct Store {
  Store() {
    char name[] = "/tmp/rowhouse-kept-XXXXXX";
    state = ::mkdtemp(name);
    [[maybe_unused]] const Status opened = open();
  }
  ~Store() {
    store.reset();
    fs::remove_all(state);
  }
  Status open() {
    store.reset();
    UniqueFd directory(::open(state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    auto opened = LastGood::open(loop.get(), clock, std::move(directory));
    if (!opened.ok()) return opened.error();
    store = std::move(opened).value();
    return {};
  }
  [[nodiscard]] fs::path file(const std::string& name) const { return state / "last-good" / name; }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream stream(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void damage(const std::string& name, const std::string& bytes) const {
    std::ofstream(file(name), std::ios::binary | std::ios::trunc) << bytes;
  }

  Loop loop;
  ManualClock clock;
  fs::path state;
  std::unique_ptr<LastGood> store;
};

}  // namespace

TEST_CASE("a kept text is read back as it was, and cut or changed bytes are none") {
  const KeptText kept{2001, "apps: {}\n"};
  const std::string bytes = encode_kept_text(kept);
  CHECK(bytes.size() == 24 + kept.text.size());
  CHECK(parse_kept_text(as_bytes(bytes)).value() == kept);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(parse_kept_text(as_bytes(std::string_view(bytes).substr(0, size))).ok());
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CAPTURE(i);
    CHECK_FALSE(parse_kept_text(as_bytes(changed)).ok());
  }
  CHECK_FALSE(parse_kept_text(as_bytes(bytes + "x")).ok());
}

TEST_CASE_FIXTURE(Store, "what is put is found after the next opening, root's alone") {
  store->put(Kind::kTenant, "acme", {0, "user: acme\n"});
  store->put(Kind::kManifest, "acme", {2001, "apps: {}\n"});
  store->finish();
  CHECK(fs::status(file("manifest-acme")).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(fs::status(state / "last-good").permissions() == fs::perms::owner_all);
  REQUIRE(open().ok());
  CHECK(store->find(Kind::kTenant, "acme", 0) == "user: acme\n");
  CHECK(store->find(Kind::kManifest, "acme", 2001) == "apps: {}\n");
  CHECK_FALSE(store->find(Kind::kManifest, "globex", 2002));
}

TEST_CASE_FIXTURE(Store, "a later tenant of the same name never gets the words of the former one") {
  store->put(Kind::kManifest, "acme", {2001, "apps: {}\n"});
  store->finish();
  CHECK_FALSE(store->find(Kind::kManifest, "acme", 2002));
}

TEST_CASE_FIXTURE(Store, "a damaged file, and one of another version, is none") {
  store->put(Kind::kManifest, "acme", {2001, "apps: {}\n"});
  store->finish();
  std::string bytes = content("manifest-acme");
  damage("manifest-acme", bytes.substr(0, bytes.size() - 1));
  CHECK_FALSE(store->find(Kind::kManifest, "acme", 2001));
  bytes[6] = '2';
  damage("manifest-acme", bytes);
  CHECK_FALSE(store->find(Kind::kManifest, "acme", 2001));
  fs::remove(file("manifest-acme"));
  fs::create_symlink("/etc/passwd", file("manifest-acme"));
  CHECK_FALSE(store->find(Kind::kManifest, "acme", 2001));
}

TEST_CASE_FIXTURE(Store, "what is there already is not written again") {
  store->put(Kind::kManifest, "acme", {2001, "apps: {}\n"});
  store->finish();
  struct stat before {};
  REQUIRE(::stat(file("manifest-acme").c_str(), &before) == 0);
  for (int i = 0; i < 2; ++i) {
    store->put(Kind::kManifest, "acme", {2001, "apps: {}\n"});
    store->finish();
    struct stat after {};
    REQUIRE(::stat(file("manifest-acme").c_str(), &after) == 0);
    CHECK(after.st_ino == before.st_ino);
    REQUIRE(open().ok());
  }
}

TEST_CASE_FIXTURE(Store, "a tenant that is gone leaves nothing") {
  store->put(Kind::kTenant, "acme", {0, "a"});
  store->put(Kind::kTenant, "globex", {0, "b"});
  store->put(Kind::kTenant, "initech", {0, "c"});
  store->finish();
  store->put(Kind::kTenant, "acme", {0, "waits"});
  store->forget("acme");
  store->finish();
  CHECK_FALSE(store->find(Kind::kTenant, "acme", 0));
  store->keep_only({"initech"});
  CHECK_FALSE(fs::exists(file("tenant-globex")));
  CHECK(store->find(Kind::kTenant, "initech", 0) == "c");
}

TEST_CASE_FIXTURE(Store, "more than may wait is written at once") {
  const std::string large(64 * 1024, 'x');
  const std::size_t texts = LastGood::kMaxWaitingBytes / large.size() + 4;
  for (std::size_t i = 0; i < texts; ++i) store->put(Kind::kTenant, "t" + std::to_string(i), {0, large});
  CHECK(fs::exists(file("tenant-t3")));
  CHECK_FALSE(fs::exists(file("tenant-t4")));
}

TEST_CASE_FIXTURE(Store, "a directory that others may write to is refused") {
  fs::permissions(state / "last-good", fs::perms::group_write, fs::perm_options::add);
  CHECK_FALSE(open().ok());
}
