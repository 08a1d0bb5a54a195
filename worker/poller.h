// What the reading thread waits for: the lifeline, the wake-up event and the channels, in one epoll set.
// wait() is called without the Scheduler's lock; the rest may be called at any time by any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::worker {

class Channel;

class Poller {
 public:
  enum class Source : std::uint8_t { kChannel, kLifeline, kWake };
  struct Ready {
    Source source{};
    Channel* channel = nullptr;  // of kChannel
    bool readable = false;
    bool writable = false;
  };
  static constexpr std::size_t kMaxReady = 32;
  using ReadyRoom = std::array<Ready, kMaxReady>;

  // Opens the set and the wake-up pipe.
  Status open();
  // A byte written here ends a wait(): for signal handlers, ours and Python's.
  [[nodiscard]] int wake_descriptor() const { return wake_.get(); }
  // The set itself: readable when wait() has something to tell.
  [[nodiscard]] int descriptor() const { return epoll_.get(); }
  // Everything that a forked child must not keep.
  [[nodiscard]] std::array<int, 3> descriptors() const { return {epoll_.get(), wake_.get(), woken_.get()}; }

  Status watch_lifeline(int fd);
  void forget(int fd);
  Status watch_channel(Channel& channel);
  // Also waits until the channel can be written to, or only until it can be read.
  enum class Interest : std::uint8_t { kRead, kReadAndWrite };
  void change_interest(Channel& channel, Interest interest);

  // What became ready; empty after timeout_ms (-1: none) or a signal.
  std::span<const Ready> wait(ReadyRoom& room, int timeout_ms) const;

  // Ends a wait() of another thread.  Async-signal-safe.
  void wake() const;
  void clear_wake() const;

 private:
  Status add(int fd, std::uint64_t tag);
  UniqueFd epoll_;
  UniqueFd wake_;   // write end
  UniqueFd woken_;  // read end
};

}  // namespace rowhouse::worker
