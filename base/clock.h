// The clock as an interface, so that state machines and timers are tested in virtual time.  Durations and
// deadlines use the monotonic side only: a jump of the wall clock moves no timeout (THREATS R22).
#pragma once

#include <chrono>
#include <cstdint>

namespace rowhouse {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;  // monotonic

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  // Milliseconds since 1970-01-01T00:00:00Z: for records that people read, never for deadlines.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
  [[nodiscard]] std::int64_t wall_ms() const override;
};

// Stands still until told to advance.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] std::int64_t wall_ms() const override { return wall_ms_; }
  void advance(Duration by) {
    now_ += by;
    wall_ms_ += by.count() / 1000;
  }

 private:
  Instant now_{};
  std::int64_t wall_ms_ = 1'700'000'000'000;
};

}  // namespace rowhouse
