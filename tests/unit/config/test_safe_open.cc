// The file system's tricks, one by one (S01 to S04); the same through the real program in
// test_loader_program.cc.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>

#include "config/safe_open.h"
#include "scratch.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

struct HomeFixture {
  Scratch scratch;
  UniqueFd home;
  HomeFixture() {
    scratch.make_directory("home/blog/static");
    scratch.write("home/rowhouse.yaml", "apps: {}\n");
    scratch.write("outside", "secret\n");
    Parsed<UniqueFd> opened = open_home(scratch.path("home"), ::geteuid());
    REQUIRE(opened.ok());
    home = opened.take();
  }
  [[nodiscard]] std::string file(const std::string& path) const {
    return shown(open_file_below(home.get(), path));
  }
  [[nodiscard]] std::string directory(const std::string& path) const {
    return shown(open_directory_below(home.get(), path));
  }
  static std::string shown(const Parsed<UniqueFd>& parsed) { return parsed.ok() ? "" : parsed.problem(); }
};

}  // namespace

TEST_CASE_FIXTURE(HomeFixture, "files and directories below the home open") {
  CHECK(file("rowhouse.yaml") == "");
  CHECK(directory(".") == "");
  CHECK(directory("blog/static") == "");
  CHECK(file("missing") == "does not exist");
  CHECK(directory("missing") == "does not exist");
  CHECK(directory("rowhouse.yaml") == "is not a directory");
  CHECK(file("rowhouse.yaml/x") == "is not a regular file");
}

TEST_CASE_FIXTURE(HomeFixture, "opened descriptors are close-on-exec") {
  const Parsed<UniqueFd> opened = open_file_below(home.get(), "rowhouse.yaml");
  REQUIRE(opened.ok());
  CHECK((::fcntl(opened.value().get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(home.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE_FIXTURE(HomeFixture, "a symbolic link is no file, wherever it leads") {
  scratch.link("/etc/shadow", "home/shadow");
  scratch.link("rowhouse.yaml", "home/inside");
  scratch.link("../outside", "home/up");
  scratch.link("blog", "home/alias");
  scratch.link("/proc/self/fd/0", "home/magic");
  for (const char* name : {"shadow", "inside", "up", "magic"}) {
    CAPTURE(name);
    CHECK(file(name) == "is not a regular file (symbolic links are not followed)");
  }
  CHECK(file("alias/x") == "is not a regular file (symbolic links are not followed)");
  CHECK(directory("alias") == "is not a directory (symbolic links are not followed)");
  CHECK(directory("alias/static") == "is not a directory (symbolic links are not followed)");
}

TEST_CASE_FIXTURE(HomeFixture, "nothing above the home opens") {
  CHECK(file("../outside") == "is not below the home");
  CHECK(file("blog/../../outside") == "is not below the home");
  CHECK(directory("..") == "is not below the home");
  CHECK(file("/etc/passwd") == "is not below the home");
  CHECK(directory("/") == "is not below the home");
}

TEST_CASE_FIXTURE(HomeFixture, "a FIFO, a socket, a device and a directory are no file and nothing waits") {
  scratch.make_fifo("home/fifo");
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{AF_UNIX, {}};
  scratch.path("home/socket").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const auto begin = std::chrono::steady_clock::now();
  CHECK(file("fifo") == "is not a regular file");
  CHECK(file("socket") == "is not a regular file");
  CHECK(file("blog") == "is not a regular file");
  const UniqueFd devices(::open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC));
  CHECK(shown(open_file_below(devices.get(), "zero")) == "is not a regular file");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

TEST_CASE_FIXTURE(HomeFixture, "the home is reached without symbolic links and is its owner's") {
  scratch.link("home", "alias");
  CHECK(shown(open_home(scratch.path("alias"), ::geteuid())) ==
        "is not a directory (symbolic links are not followed)");
  CHECK(shown(open_home(scratch.path("alias/blog"), ::geteuid())) ==
        "is not a directory (symbolic links are not followed)");
  CHECK(shown(open_home(scratch.path("missing"), ::geteuid())) == "does not exist");
  CHECK(shown(open_home(scratch.path("outside"), ::geteuid())) == "is not a directory");
  CHECK(shown(open_home(scratch.path("home"), 64'099)) ==
        "is owned by uid " + std::to_string(::geteuid()) + ", not by the tenant (uid 64099)");
}

TEST_CASE_FIXTURE(HomeFixture, "a static directory is its tenant's") {
  CHECK(shown(open_owned_directory_below(home.get(), "blog/static", ::geteuid())) == "");
  CHECK(shown(open_owned_directory_below(home.get(), "blog/static", 64'099)) ==
        "is owned by uid " + std::to_string(::geteuid()) + ", not by the tenant (uid 64099)");
  CHECK(shown(open_owned_directory_below(home.get(), "missing", ::geteuid())) == "does not exist");
}
