// A budget, in bytes or requests, that refills with time, and stays shut for a while once it ran out, so that
// a flood ends in one notice and not in one for every other line.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace rowhouse::control {

class TokenBucket {
 public:
  struct Rate {
    std::int64_t per_second;
    std::int64_t burst;
    std::int64_t reopen;  // after running out, nothing passes until this much is there again
  };

  TokenBucket(Rate rate, Instant now) : rate_(rate), tokens_(rate.burst), filled_at_(now) {}

  // Takes `amount`, or answers false and takes nothing.
  [[nodiscard]] bool try_take(std::int64_t amount, Instant now) {
    refill(now);
    if (shut_ && tokens_ < rate_.reopen) return false;
    shut_ = tokens_ < amount;
    if (shut_) return false;
    tokens_ -= amount;
    return true;
  }
  // Takes `amount` after the fact; the budget may go below zero.
  void charge(std::int64_t amount, Instant now) {
    refill(now);
    tokens_ -= amount;
  }

 private:
  void refill(Instant now) {
    const std::int64_t elapsed_us = std::min<std::int64_t>((now - filled_at_).count(), 3'600'000'000);
    const std::int64_t added = elapsed_us * rate_.per_second / 1'000'000;
    if (added <= 0) return;
    tokens_ = std::min(rate_.burst, tokens_ + added);
    filled_at_ = now;
  }

  Rate rate_;
  std::int64_t tokens_;
  Instant filled_at_;
  bool shut_ = false;
};

}  // namespace rowhouse::control
