// What a service manager hears of the keeper, on a socket as systemd's.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "supervisor/service_manager.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using std::chrono::seconds;

namespace {

// A manager's socket in the abstract namespace, and the environment that leads to it.
class Manager {
 public:
  Manager() : name_("@rowhouse-test-" + std::to_string(::getpid())) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name_.data(), name_.size());
    address.sun_path[0] = '\0';
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
  }
  ~Manager() {
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) ::unsetenv(name);
  }
  // The next message; empty when there is none.
  std::string heard() {
    std::array<char, 256> bytes{};
    const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    return size < 0 ? "" : std::string(bytes.data(), static_cast<std::size_t>(size));
  }

 private:
  std::string name_;
  UniqueFd socket_;
};

void set_watchdog(const char* microseconds, pid_t pid) {
  ::setenv("WATCHDOG_USEC", microseconds, 1);
  ::setenv("WATCHDOG_PID", std::to_string(pid).c_str(), 1);
}

}  // namespace

TEST_CASE("a manager hears ready and stopping, and no child inherits its address") {
  Manager manager;
  set_watchdog("10000000", ::getpid());
  ServiceManager service;
  REQUIRE(service.open().ok());
  service.tell_ready();
  CHECK(manager.heard() == "READY=1");
  service.tell_stopping();
  CHECK(manager.heard() == "STOPPING=1");
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
    CHECK(::getenv(name) == nullptr);
}

TEST_CASE("the watchdog hears from us twice in each of its intervals, and not more often") {
  Manager manager;
  set_watchdog("10000000", ::getpid());
  ServiceManager service;
  REQUIRE(service.open().ok());
  Instant now{seconds(100)};
  CHECK(service.time_to_alive(now, seconds(10)) == Duration::zero());
  service.tell_alive(now);
  CHECK(manager.heard() == "WATCHDOG=1");
  CHECK(service.time_to_alive(now, seconds(10)) == seconds(5));
  now += seconds(4);
  service.tell_alive(now);
  CHECK(manager.heard().empty());
  CHECK(service.time_to_alive(now, seconds(10)) == seconds(1));
  now += seconds(1);
  service.tell_alive(now);
  CHECK(manager.heard() == "WATCHDOG=1");
}

TEST_CASE("a watchdog that watches another process hears nothing of us") {
  Manager manager;
  set_watchdog("10000000", ::getpid() + 1);
  ServiceManager service;
  REQUIRE(service.open().ok());
  service.tell_alive(Instant{seconds(100)});
  CHECK(manager.heard().empty());
  CHECK(service.time_to_alive(Instant{}, seconds(10)) == seconds(10));
}

TEST_CASE("without a manager there is nothing to tell and nothing fails") {
  ServiceManager service;
  REQUIRE(service.open().ok());
  service.tell_ready();
  service.tell_alive(Instant{seconds(1)});
}

TEST_CASE("a manager that cannot be told is an error at the start") {
  for (const std::string& path :
       {std::string("relative"), "/" + std::string(200, 'x'), std::string("/nonexistent/s")}) {
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    ServiceManager service;
    CHECK_FALSE(service.open().ok());
  }
}
