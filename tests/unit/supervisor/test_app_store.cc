#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/files.h"
#include "supervisor/app_store.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

class StateDirectory {
 public:
  StateDirectory() {
    char name[] = "/tmp/rowhouse-store-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~StateDirectory() { std::filesystem::remove_all(path_); }
  UniqueFd open() const { return UniqueFd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

 private:
  std::string path_;
};

}  // namespace

TEST_CASE("a forgotten app is forgotten on disk, its number is not given to another one") {
  StateDirectory state;
  AppStore store = AppStore::open(state.open()).value();
  const std::uint32_t number = store.find_or_add({"acme", "site"}).number;
  REQUIRE(store.set_stopped({"acme", "site"}, true).ok());
  REQUIRE(store.forget({"acme", "site"}).ok());
  AppStore again = AppStore::open(state.open()).value();
  const StoredApp& fresh = again.find_or_add({"acme", "site"});
  CHECK(fresh.number > number);
  CHECK_FALSE(fresh.stopped);
}

TEST_CASE("an app keeps its number across a restart and numbers are not reused") {
  StateDirectory state;
  std::uint32_t first = 0;
  {
    AppStore store = AppStore::open(state.open()).value();
    first = store.find_or_add({"acme", "site"}).number;
    CHECK(store.find_or_add({"acme", "blog"}).number == first + 1);
    REQUIRE(store.save().ok());
  }
  AppStore store = AppStore::open(state.open()).value();
  CHECK(store.find_or_add({"acme", "site"}).number == first);
  CHECK(store.find_or_add({"globex", "site"}).number == first + 2);
}

TEST_CASE("generations grow by one and never repeat after a crash") {
  StateDirectory state;
  std::uint32_t last = 0;
  {
    AppStore store = AppStore::open(state.open()).value();
    for (int i = 0; i < 200; ++i) {
      const std::uint32_t next = store.next_generation({"acme", "site"}, last).value();
      CHECK(next == last + 1);
      last = next;
    }
  }
  AppStore store = AppStore::open(state.open()).value();
  CHECK(store.next_generation({"acme", "site"}, 0).value() > last);
}

TEST_CASE("a generation of a share is one that none of its apps has used") {
  StateDirectory state;
  AppStore store = AppStore::open(state.open()).value();
  const AppStore::Key a{"acme", "a"}, b{"acme", "b"};
  const std::uint32_t before = store.next_generation(b, 0).value();
  const std::uint32_t together = store.next_shared_generation({a, b}, 0).value();
  CHECK(together > before);
  CHECK(store.next_shared_generation({a, b}, together).value() == together + 1);
  // Also after a crash, and alone again.
  AppStore later = AppStore::open(state.open()).value();
  CHECK(later.next_generation(a, 0).value() > together + 1);
  CHECK(later.next_generation(b, 0).value() > together + 1);
}

TEST_CASE("a share is stopped as a whole") {
  StateDirectory state;
  REQUIRE(AppStore::open(state.open()).value().set_all_stopped({{"acme", "a"}, {"acme", "b"}}, true).ok());
  AppStore store = AppStore::open(state.open()).value();
  CHECK(store.find_or_add({"acme", "a"}).stopped);
  CHECK(store.find_or_add({"acme", "b"}).stopped);
}

TEST_CASE("a stop is remembered until a start") {
  StateDirectory state;
  REQUIRE(AppStore::open(state.open()).value().set_stopped({"acme", "site"}, true).ok());
  AppStore store = AppStore::open(state.open()).value();
  CHECK(store.find_or_add({"acme", "site"}).stopped);
  REQUIRE(store.set_stopped({"acme", "site"}, false).ok());
  CHECK_FALSE(AppStore::open(state.open()).value().find_or_add({"acme", "site"}).stopped);
}

TEST_CASE("a file that cannot be right is an error and not an empty store") {
  StateDirectory state;
  const UniqueFd directory = state.open();
  REQUIRE(replace_file(directory.get(), "apps", "RHAPPS1\nrubbish", 0600).ok());
  CHECK_FALSE(AppStore::open(state.open()).ok());
}

TEST_CASE("every cut of a stored file is refused or loses whole records only") {
  StoredApps apps;
  apps.next_number = 3;
  apps.apps[{"acme", "site"}] = {1, 64, true};
  apps.apps[{"globex", "blog"}] = {2, 128, false};
  const std::string whole = encode_stored_apps(apps);
  CHECK(parse_stored_apps(as_bytes(whole)).value().apps.size() == 2);
  const std::size_t header = 12;
  const std::size_t record = (whole.size() - header) / 2;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const bool at_record = size >= header && (size - header) % record == 0;
    CHECK(parse_stored_apps(as_bytes(std::string_view(whole).substr(0, size))).ok() == at_record);
  }
}
