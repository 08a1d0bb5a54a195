// How many requests a worker may hold for each that it runs.  While its requests take a few microseconds, the
// switches between the processes cost more than the work, so several travel together; as soon as they take
// longer, a fast request must not be trapped behind a slow one.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "gateway/caps.h"
#include "proto/limits.h"

namespace rowhouse::gateway {

// The mean service time over this and the last window of kServiceWindow, from the worker's own word: it only
// shapes the worker's own queue.
class ServiceTimes {
 public:
  void record(Instant now, std::uint16_t service_us) {
    turn_to(now);
    current_.total_us += service_us;
    ++current_.count;
  }

  // 1 when nothing is known.  kBatchUs worth of work, and no more than a worker must accept.
  [[nodiscard]] std::uint32_t depth(Instant now) {
    turn_to(now);
    const std::uint64_t count = current_.count + last_.count;
    if (count == 0) return 1;
    const std::uint64_t mean_us = (current_.total_us + last_.total_us) / count;
    const std::uint64_t depth = kBatchUs / (mean_us + kSwitchUs);
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(depth, 1, proto::kMaxPrefetch));
  }

 private:
  struct Window {
    std::uint64_t total_us = 0;
    std::uint64_t count = 0;
  };
  static constexpr std::uint64_t kBatchUs = 50;
  static constexpr std::uint64_t kSwitchUs = 2;

  void turn_to(Instant now) {
    if (now < begin_ + kServiceWindow) return;
    last_ = now < begin_ + 2 * kServiceWindow ? current_ : Window{};
    current_ = Window{};
    begin_ = now;
  }

  Instant begin_{};
  Window current_;
  Window last_;
};

}  // namespace rowhouse::gateway
