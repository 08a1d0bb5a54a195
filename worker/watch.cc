// The watch: a thread without Python that ticks while requests run.  It sends output that a long call holds
// up, finds a leader that is stuck in its call, reads when every request thread is inside a call (so that
// DRAIN, ABORT, SIGTERM and new channels are noticed), and ends the process when its last deadline is over.
#include <csignal>
#include <system_error>

#include "worker/fork_guard.h"
#include "worker/say.h"
#include "worker/scheduler.h"
#include "worker/signals.h"

namespace rowhouse::worker {
namespace {

constexpr auto kTick = std::chrono::milliseconds(2);
constexpr auto kSlowTick = std::chrono::milliseconds(20);
constexpr int kReadTickMs = 5;
// Ticks without a new request before the pace slows, and without any work before the watch sleeps.
constexpr unsigned kLazyTicks = 5;
constexpr Duration kOldOutput = std::chrono::milliseconds(1);
constexpr Duration kStall = std::chrono::milliseconds(2);

}  // namespace

Scheduler::Scheduler(Lifeline& lifeline, unsigned threads, const Clock& clock)
    : lifeline_(lifeline), threads_(threads), clock_(clock) {}

Scheduler::~Scheduler() {
  {
    Lock lock(mutex_);
    watch_stops_ = true;
    watch_wake_.notify_one();
  }
  if (watch_thread_.joinable()) watch_thread_.join();
}

Status Scheduler::open() {
  RH_TRY(poller_.open());
  RH_TRY(poller_.watch_lifeline(lifeline_.descriptor()));
  for (const int fd : poller_.descriptors()) {
    if (!guard_descriptor(fd)) return make_error(ErrorCode::kTooLarge, "guarded descriptors");
  }
  main_waiter_ = &me();
  // The watch inherits a mask that blocks every signal: handlers run in Python's threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status status;
  try {
    watch_thread_ = std::thread([this, log = log_of_this_thread()] {
      log_from_this_thread_to(log);
      watch();
    });
  } catch (const std::system_error& failure) {
    status = Error{ErrorCode::kSystem, "start the watch thread", failure.code().value()};
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return status;
}

void Scheduler::end_within(Duration within) {
  Lock lock(mutex_);
  const Instant deadline = now() + within;
  if (!exit_at_ || deadline < *exit_at_) exit_at_ = deadline;
  rouse_watch();
}

void Scheduler::watch() {
  Lock lock(mutex_);
  unsigned lazy_ticks = 0;
  std::uint64_t requests_seen = 0;
  while (!watch_stops_) {
    lazy_ticks = requests_ == requests_seen ? lazy_ticks + 1 : 0;
    requests_seen = requests_;
    const Instant time = now();
    watch_tick(time);
    if (nobody_reads(time)) {
      watch_read(lock);
    } else if (lazy_ticks < kLazyTicks) {
      watch_wake_.wait_for(lock, kTick);
    } else if (is_busy()) {
      watch_pace_ = Pace::kSlow;
      watch_wake_.wait_for(lock, kSlowTick);
    } else {
      watch_pace_ = Pace::kAsleep;
      watch_wake_.wait(lock, [this] { return watch_pace_ != Pace::kAsleep || watch_stops_; });
    }
    watch_pace_ = Pace::kTicking;
  }
}

void Scheduler::rouse_watch() {
  if (watch_pace_ == Pace::kTicking) return;
  watch_pace_ = Pace::kTicking;
  watch_wake_.notify_one();
}

bool Scheduler::is_busy() const {
  if (running_ != 0 || exit_at_) return true;
  for (const auto& channel : channels_) {
    if (channel->output_bytes() != 0 && !channel->awaits_writable) return true;
  }
  return false;
}

void Scheduler::watch_tick(Instant time) {
  if (exit_at_ && time >= *exit_at_) {
    say("the app did not end in time: the worker leaves without waiting for it");
    lifeline_.leave_behind();
    exit_at_.reset();
  }
  for (const auto& channel : channels_) {
    if (channel->output_bytes() != 0 && time - channel->output_since > kOldOutput)
      flush_channel(*channel, time);
  }
  look_at_leader(time);
}

// Asks a resting thread to take over from a leader that is inside a long call.  A request thread first gets
// the GIL and looks again, so that a leader that merely lost its CPU keeps the lead; one that rests inside a
// call has the lead at once.
void Scheduler::look_at_leader(Instant time) {
  if (leader_ == nullptr || phase_ != Phase::kRunning || time - leader_->call_begun < kStall) return;
  if (!idle_.empty()) {
    Waiter& waiter = *idle_.back();
    if (!waiter.alarmed) {
      waiter.alarmed = true;
      waiter.wake.notify_one();
    }
  } else if (!blocked_.empty()) {
    leader_ = nullptr;
    promote();
  }
}

bool Scheduler::nobody_reads(Instant time) const {
  if (event_loop_) return false;
  if (running_ == 0 || !idle_.empty() || !blocked_.empty()) return false;
  if (leader_ == nullptr) return true;
  return phase_ == Phase::kRunning && time - leader_->call_begun >= kStall;
}

void Scheduler::watch_read(Lock& lock) {
  leader_ = &watch_waiter_;
  phase_ = Phase::kWatching;
  lock.unlock();
  Poller::ReadyRoom room;
  const std::span<const Poller::Ready> ready = poller_.wait(room, kReadTickMs);
  lock.lock();
  if (leader_ != &watch_waiter_) return;  // taken meanwhile: the new leader sees the same events
  take_events(ready);
  leader_ = nullptr;
}

}  // namespace rowhouse::worker
