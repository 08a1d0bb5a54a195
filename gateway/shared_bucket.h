// A token bucket of which several processes take: time fills it, and what a counter of all of them has grown by drains it.
// A second's worth at most is saved up or owed.  Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace rowhouse::gateway {

class SharedBucket {
 public:
  static constexpr double kSecond = 1e6;  // Duration counts microseconds

  // The next refill() finds it full, and begins to count.
  void reset() { seen_at_.reset(); }
  // `taken_by_all`: the counter, now.
  void refill(double per_second, std::uint64_t taken_by_all, Instant now) {
    if (seen_at_) {
      level_ += static_cast<double>((now - *seen_at_).count()) * per_second / kSecond;
      drain_to(taken_by_all);
    } else {
      level_ = per_second;
    }
    level_ = std::clamp(level_, -per_second, per_second);
    seen_at_ = now;
    seen_ = taken_by_all;
  }
  // The counter was `before` and is `after`, because what it is the sum of has changed, not because of anybody's taking.
  void recount(std::uint64_t before, std::uint64_t after) {
    drain_to(before);
    seen_ = after;
  }
  // Taken by us, and not seen in the counter yet.
  void take(std::uint64_t tokens) { level_ -= static_cast<double>(tokens); }
  // So much of what the counter will have grown by has left the level already.
  void expect(std::uint64_t tokens) { seen_ += tokens; }

  // Negative: more than there was has been taken.
  [[nodiscard]] double level() const { return level_; }
  [[nodiscard]] std::optional<Instant> seen_at() const { return seen_at_; }

 private:
  // Less than before: a gateway died, and its column began again.
  void drain_to(std::uint64_t taken) {
    if (taken > seen_) level_ -= static_cast<double>(taken - seen_);
  }

  double level_ = 0;
  std::optional<Instant> seen_at_;
  std::uint64_t seen_ = 0;  // the counter, then
};

}  // namespace rowhouse::gateway
