#include "worker/fork_guard.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

#include "worker/signals.h"

namespace rowhouse::worker {
namespace {

// 0 is a free place: descriptor 0 is never listed.
std::array<std::atomic<int>, kMaxGuardedDescriptors> guarded{};
std::atomic<bool> forked{false};

// Runs in the child between fork(2) and its return: async-signal-safe calls only.
void on_child() {
  forked.store(true, std::memory_order_relaxed);
  for (std::atomic<int>& place : guarded) {
    const int fd = place.exchange(0, std::memory_order_relaxed);
    if (fd > 0) ::close(fd);
  }
  forget_worker_signals();
}

}  // namespace

void install_fork_guard() {
  pthread_atfork(nullptr, nullptr, on_child);
}

bool guard_descriptor(int fd) {
  for (std::atomic<int>& place : guarded) {
    int free_place = 0;
    if (place.compare_exchange_strong(free_place, fd)) return true;
  }
  return false;
}

void unguard_descriptor(int fd) {
  for (std::atomic<int>& place : guarded) {
    int listed = fd;
    if (place.compare_exchange_strong(listed, 0)) return;
  }
}

void forget_fork() {
  forked.store(false, std::memory_order_relaxed);
}

bool is_forked_child() {
  return forked.load(std::memory_order_relaxed);
}

}  // namespace rowhouse::worker
