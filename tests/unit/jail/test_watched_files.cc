// The files whose touch restarts an app: what counts as a touch, and how seldom anybody looks.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "supervisor/jail/watched_files.h"

namespace rowhouse::jail {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct Tree {
  Tree() {
    char name[] = "/tmp/rowhouse-touch-XXXXXX";
    home = ::mkdtemp(name);
    fs::create_directory(home / "app");
    files.emplace(home.string(), std::vector<std::string>{restart().string(), entry().string()});
    write(entry(), "one");
    files->begin(clock.now());
  }
  ~Tree() { fs::remove_all(home); }
  [[nodiscard]] fs::path restart() const { return home / "app/tmp/restart.txt"; }
  [[nodiscard]] fs::path entry() const { return home / "app/wsgi.py"; }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  // True when the kernel wakes whoever waits, within 5 s.
  [[nodiscard]] bool woken() const {
    pollfd waiting{files->descriptor(), POLLIN, 0};
    return ::poll(&waiting, 1, 5'000) == 1;
  }
  // Whether a touch was seen, after an event.
  bool look() {
    clock.advance(2s);
    return files->look(clock.now());
  }

  fs::path home;
  ManualClock clock;
  std::optional<WatchedFiles> files;
};

// A time of the last write that no file has had before.
void touch(const fs::path& path) {
  static std::int64_t next_s = 1'800'000'000;
  const timespec time{next_s++, 0};
  const timespec times[] = {time, time};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("a look follows an event by a moment, and the last look by a pause, however many events there are") {
  ManualClock clock;
  LookTimes times;
  times.on_looked(clock.now(), LookTimes::Watched::kAll);
  CHECK_FALSE(times.due());
  int looks = 0;
  for (int i = 0; i < 60'000; ++i, clock.advance(1ms)) {
    times.on_event(clock.now());
    CHECK_FALSE(times.listens());
    REQUIRE(times.due());
    if (*times.due() > clock.now()) continue;
    ++looks;
    times.on_looked(clock.now(), LookTimes::Watched::kAll);
    CHECK(times.listens());
  }
  CHECK(looks >= 58);
  CHECK(looks <= 60);
}

TEST_CASE("where nothing can be watched there is a look each minute") {
  ManualClock clock;
  LookTimes times;
  times.on_looked(clock.now(), LookTimes::Watched::kNotAll);
  CHECK(times.due() == clock.now() + LookTimes::kRecheck);
  times.on_event(clock.now());
  CHECK(times.due() == clock.now() + LookTimes::kPause);
}

TEST_CASE("without paths there is nothing to wait for") {
  ManualClock clock;
  WatchedFiles none("/home/acme", {});
  none.begin(clock.now());
  CHECK(none.descriptor() == -1);
  CHECK(none.timeout_ms(clock.now()) == -1);
}

TEST_CASE_FIXTURE(Tree, "nothing has happened: no touch") {
  CHECK_FALSE(look());
  CHECK_FALSE(look());
}

TEST_CASE_FIXTURE(Tree, "restart.txt is created, with its directory, and touched: each is one touch") {
  fs::create_directory(home / "app/tmp");
  CHECK(woken());
  CHECK_FALSE(look());
  write(restart(), "");
  CHECK(woken());
  CHECK(look());
  CHECK_FALSE(look());
  touch(restart());
  CHECK(woken());
  CHECK(look());
  CHECK_FALSE(look());
}

TEST_CASE_FIXTURE(Tree, "the entry file is written in place, replaced, or comes with another directory") {
  write(entry(), "two and more");
  CHECK(woken());
  CHECK(look());
  write(home / "app/new.py", "two and more");
  touch(home / "app/new.py");
  fs::rename(home / "app/new.py", entry());
  CHECK(woken());
  CHECK(look());
  fs::create_directory(home / "app2");
  write(home / "app2/wsgi.py", "three");
  fs::rename(home / "app", home / "old");
  CHECK(woken());
  fs::rename(home / "app2", home / "app");
  CHECK(look());
  CHECK_FALSE(look());
}

TEST_CASE_FIXTURE(Tree, "a file that goes is no touch, and one that comes back is") {
  fs::remove(entry());
  CHECK(woken());
  CHECK_FALSE(look());
  write(entry(), "again");
  CHECK(woken());
  CHECK(look());
}

TEST_CASE_FIXTURE(Tree, "a chmod and other files of the directory are no touch") {
  fs::permissions(entry(), fs::perms::owner_read);
  write(home / "app/other.py", "x");
  CHECK_FALSE(look());
}

TEST_CASE_FIXTURE(Tree, "a symbolic link, a FIFO and a directory in the file's place are no files and make nobody wait") {
  fs::create_directory(home / "app/tmp");
  fs::create_symlink("/etc/passwd", restart());
  CHECK_FALSE(look());
  fs::remove(restart());
  REQUIRE(::mkfifo(restart().c_str(), 0644) == 0);
  CHECK_FALSE(look());
  touch(restart());
  CHECK_FALSE(look());
  fs::remove(restart());
  fs::create_directory(restart());
  CHECK_FALSE(look());
  fs::remove(restart());
  write(restart(), "");
  CHECK(look());
}

TEST_CASE_FIXTURE(Tree, "a hundred thousand touches are one") {
  for (int i = 0; i < 100'000; ++i) touch(entry());
  CHECK(woken());
  CHECK(look());
  CHECK_FALSE(look());
}

}  // namespace rowhouse::jail
