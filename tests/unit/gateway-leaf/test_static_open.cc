// Which files are opened, and as whom.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <csignal>

#include "tests/unit/gateway-leaf/static_site.h"

namespace rowhouse::gateway {
namespace {

TEST_CASE("a plain file of the tenant is opened") {
  Site site;
  site.directory("css");
  site.file("css/a.css", "body{}");
  const StaticFile file = site.open("css/a.css");
  CHECK(file.size == 6);
  CHECK(file.modified_s == kModified);
  CHECK(file.content_type == "text/css; charset=utf-8");
  CHECK(read_all(file.file.get(), 100).value() == "body{}");
  CHECK((::fcntl(file.file.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a directory means its index file, with a slash only") {
  Site site;
  site.directory("d");
  site.directory("e");
  site.file("index.html");
  site.file("d/index.html");
  CHECK(site.open("").content_type == "text/html; charset=utf-8");
  CHECK(site.open("d/").content_type == "text/html; charset=utf-8");
  CHECK(site.status("d") == 404);
  CHECK(site.status("e/") == 404);
  CHECK(site.status("index.html/") == 404);
}

TEST_CASE("names that are not served are refused before anything is opened") {
  Site site;
  site.file(".env");
  site.directory(".git");
  site.file(".git/config");
  site.directory("d");
  site.file("d/.htpasswd");
  site.file("d/plain");
  CHECK(site.status("d/plain") == 200);
  for (const std::string_view name :
       {".env", ".git/config", "d/.htpasswd", "/etc/passwd", "d//plain", "/d/plain", "d/../d/plain", "../x",
        ".", "..", "d/.", "missing", "d/plain/x"}) {
    CAPTURE(name);
    CHECK(site.status(name) == 404);
  }
  CHECK(site.status(std::string_view("d/plain\0.css", 12)) == 404);
  CHECK(site.status(std::string(300, 'a')) == 404);
  CHECK(site.status(std::string(5000, 'a')) == 404);
  std::string deep;
  while (deep.size() < 8000) deep += "d/";
  CHECK(site.status(deep) == 404);
}

TEST_CASE("a symbolic link is not followed") {
  Site site;
  site.directory("d");
  site.file("d/plain");
  REQUIRE(::symlink("plain", site.at("d/inside").c_str()) == 0);
  REQUIRE(::symlink("/etc/passwd", site.at("d/outside").c_str()) == 0);
  REQUIRE(::symlink("d", site.at("e").c_str()) == 0);
  REQUIRE(::symlink("/proc/self/root", site.at("magic").c_str()) == 0);
  for (const std::string_view name : {"d/inside", "d/outside", "e/plain", "magic/etc/passwd"}) {
    CAPTURE(name);
    CHECK(site.status(name) == 404);
  }
}

TEST_CASE("a file with several links is refused until it has one") {
  Site site;
  site.file("a");
  REQUIRE(::link(site.at("a").c_str(), site.at("b").c_str()) == 0);
  CHECK(site.status("a") == 403);
  CHECK(site.status("b") == 403);
  REQUIRE(::unlink(site.at("b").c_str()) == 0);
  CHECK(site.status("a") == 200);
}

TEST_CASE("a file of another owner is refused") {
  Site site;
  site.file("a");
  REQUIRE(::chown(site.at("a").c_str(), kOther, kTenant) == 0);
  CHECK(site.status("a") == 403);
  REQUIRE(::chown(site.at("a").c_str(), 0, 0) == 0);
  CHECK(site.status("a") == 403);
}

TEST_CASE("what is no regular file is refused and never waited for") {
  Site site;
  REQUIRE(::mkfifo(site.at("fifo").c_str(), 0644) == 0);
  REQUIRE(::mknod(site.at("null").c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  site.at("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  for (const char* name : {"fifo", "null", "socket"}) {
    CAPTURE(name);
    site.own(name);
    CHECK(site.status(name) == 404);
  }
}

TEST_CASE("a file that its owner holds a lease on is not waited for") {
  Site site;
  site.file("a");
  static_cast<void>(::signal(SIGIO, SIG_IGN));  // how the kernel asks for the lease back
  UniqueFd holder(::open(site.at("a").c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::fcntl(holder.get(), F_SETLEASE, F_WRLCK) == 0);
  CHECK(site.status("a") == 503);
  holder.reset();
  CHECK(site.status("a") == 200);
}

TEST_CASE("another mount is not entered") {
  Site site;
  site.directory("mounted");
  REQUIRE(::mount("tmpfs", site.at("mounted").c_str(), "tmpfs", 0, "size=64k") == 0);
  site.file("mounted/a");
  CHECK(site.status("mounted/a") == 404);
  REQUIRE(::umount(site.at("mounted").c_str()) == 0);
}

TEST_CASE("the gateway's user sees what others may read, below a root that it could not walk to") {
  Site site;
  site.file("public");
  site.file("private");
  site.directory("closed");
  site.file("closed/a");
  REQUIRE(::chmod(site.at("private").c_str(), 0640) == 0);
  REQUIRE(::chmod(site.at("closed").c_str(), 0700) == 0);
  CHECK(site.status_for_reader("public") == 200);
  CHECK(site.status_for_reader("private") == 403);
  CHECK(site.status_for_reader("closed/a") == 403);
  CHECK(site.status_for_reader("missing") == 404);
}

TEST_CASE("without a free descriptor the answer is 503") {
  Site site;
  site.file("a");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const int status = site.status("a");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(status == 503);
}

}  // namespace
}  // namespace rowhouse::gateway
