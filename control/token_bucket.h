// A budget in bytes that refills with time, and stays shut for a while once it ran out, so that a flood ends
// in one notice and not in one for every other line.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace rowhouse::control {

class TokenBucket {
 public:
  struct Rate {
    std::int64_t bytes_per_second;
    std::int64_t burst_bytes;
    std::int64_t reopen_bytes;  // after running out, nothing passes until this much is there again
  };

  TokenBucket(Rate rate, Instant now) : rate_(rate), tokens_(rate.burst_bytes), filled_at_(now) {}

  // Takes `bytes`, or answers false and takes nothing.
  [[nodiscard]] bool try_take(std::int64_t bytes, Instant now) {
    refill(now);
    if (shut_ && tokens_ < rate_.reopen_bytes) return false;
    shut_ = tokens_ < bytes;
    if (shut_) return false;
    tokens_ -= bytes;
    return true;
  }

 private:
  void refill(Instant now) {
    const std::int64_t elapsed_us = std::min<std::int64_t>((now - filled_at_).count(), 3'600'000'000);
    const std::int64_t added = elapsed_us * rate_.bytes_per_second / 1'000'000;
    if (added <= 0) return;
    tokens_ = std::min(rate_.burst_bytes, tokens_ + added);
    filled_at_ = now;
  }

  Rate rate_;
  std::int64_t tokens_;
  Instant filled_at_;
  bool shut_ = false;
};

}  // namespace rowhouse::control
