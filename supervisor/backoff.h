// When a thing that died is started again: at once the first time, then after exponentially growing delays with
// jitter, until it has been healthy for a while.  Pure: time and randomness come from outside.
//
//            died                  died                     died
//   fresh ---------> delay 0 ---------> delay ~first ... ---------> delay ~longest (stays)
//     ^                                                                |
//     +------------------- healthy for `reset_after` ------------------+
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace rowhouse::supervisor {

class Backoff {
 public:
  struct Limits {
    Duration first;        // delay after the second death in a row
    Duration longest;
    Duration reset_after;  // health that makes the next death a first one again
  };
  explicit Backoff(Limits limits) : limits_(limits) {}

  // The thing has become healthy.
  void on_healthy(Instant now);
  // The thing died: how long to wait before the next start.  `random` chooses the jitter, 75 % to 125 % of the
  // exponential delay; zero for the first death.
  [[nodiscard]] Duration on_death(Instant now, std::uint32_t random);
  [[nodiscard]] std::uint32_t deaths() const { return deaths_; }

  // For a supervisor that takes over.
  struct State {
    std::uint32_t deaths = 0;
    bool healthy = false;
    Instant healthy_since{};
  };
  [[nodiscard]] State state() const { return {deaths_, healthy_, healthy_since_}; }
  void restore(const State& state) {
    deaths_ = state.deaths;
    healthy_ = state.healthy;
    healthy_since_ = state.healthy_since;
  }

 private:
  Limits limits_;
  std::uint32_t deaths_ = 0;  // in a row
  bool healthy_ = false;
  Instant healthy_since_{};
};

}  // namespace rowhouse::supervisor
