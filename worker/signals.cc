#include "worker/signals.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "proto/lifeline.h"

namespace rowhouse::worker {
namespace {

std::atomic<int> seccomp_lifeline{-1};
std::atomic<int> termination_wake{-1};
std::atomic<bool> terminating{false};
// Whose signals are handled here: a child has these handlers for the moment between fork(2) and the fork
// guard.
std::atomic<pid_t> worker_pid{0};

void restore_default(int number) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(number, &action, nullptr);
}

void on_sigsys(int number, siginfo_t* info, void* /*context*/) {
  const int lifeline = seccomp_lifeline.load(std::memory_order_relaxed);
  if (lifeline >= 0 && ::getpid() == worker_pid) {
    const proto::LifelineBytes record =
        proto::encode_lifeline({proto::LifelineType::kSeccomp, static_cast<std::uint32_t>(info->si_syscall)});
    static_cast<void>(::send(lifeline, record.data(), record.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  restore_default(number);
  ::raise(number);  // blocked during this handler: death follows at its return
}

void on_sigterm(int number) {
  const int saved_errno = errno;
  if (::getpid() != worker_pid) {
    restore_default(number);
    ::raise(number);
    return;
  }
  terminating.store(true, std::memory_order_relaxed);
  const int wake_fd = termination_wake.load(std::memory_order_relaxed);
  if (wake_fd >= 0) static_cast<void>(!::write(wake_fd, "", 1));
  errno = saved_errno;
}

void install(int number, const struct sigaction& action) {
  ::sigaction(number, &action, nullptr);
}

}  // namespace

void report_seccomp_on(int lifeline) {
  worker_pid.store(::getpid());
  seccomp_lifeline.store(lifeline);
  struct sigaction action {};
  action.sa_sigaction = on_sigsys;
  action.sa_flags = SA_SIGINFO;
  install(SIGSYS, action);
}

void take_termination_on(int wake_fd) {
  struct sigaction current {};
  ::sigaction(SIGTERM, nullptr, &current);
  if (current.sa_handler != SIG_DFL) return;
  termination_wake.store(wake_fd);
  struct sigaction action {};
  action.sa_handler = on_sigterm;
  action.sa_flags = SA_RESTART;
  install(SIGTERM, action);
}

bool termination_requested() {
  return terminating.load(std::memory_order_relaxed);
}

void forget_worker_signals() {
  seccomp_lifeline.store(-1);
  termination_wake.store(-1);
  struct sigaction current {};
  ::sigaction(SIGTERM, nullptr, &current);
  if (current.sa_handler == on_sigterm) restore_default(SIGTERM);
  restore_default(SIGSYS);
}

}  // namespace rowhouse::worker
