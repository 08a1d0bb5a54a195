#include "supervisor/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace rowhouse::supervisor {
namespace {

std::string take_variable(const char* name) {
  const char* value = ::getenv(name);
  const std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

std::uint64_t number_in(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

}  // namespace

Status ServiceManager::open() {
  const std::string path = take_variable("NOTIFY_SOCKET");
  const std::uint64_t watchdog_us = number_in(take_variable("WATCHDOG_USEC"));
  const std::string watched = take_variable("WATCHDOG_PID");
  if (path.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // "@" stands for the abstract namespace, whose names begin with a zero byte and have no end mark.
  const bool valid = (path.front() == '/' || path.front() == '@') && path.size() < sizeof address.sun_path;
  if (!valid) return make_error(ErrorCode::kInvalid, "NOTIFY_SOCKET");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_.valid()) return system_error("socket NOTIFY_SOCKET");
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    return system_error("connect NOTIFY_SOCKET");
  }
  const bool ours = watched.empty() || number_in(watched) == static_cast<std::uint64_t>(::getpid());
  if (ours) alive_every_ = Duration(watchdog_us / 2);
  return {};
}

void ServiceManager::tell_alive(Instant now) {
  if (alive_every_ == Duration::zero() || now < alive_at_) return;
  alive_at_ = now + alive_every_;
  tell("WATCHDOG=1");
}

Duration ServiceManager::time_to_alive(Instant now, Duration most) const {
  if (alive_every_ == Duration::zero()) return most;
  return std::clamp(std::chrono::duration_cast<Duration>(alive_at_ - now), Duration::zero(), most);
}

// A manager that does not read loses the message: it will not hold up the process that ends everything.
void ServiceManager::tell(std::string_view state) const {
  if (socket_.valid()) ::send(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL);
}

}  // namespace rowhouse::supervisor
