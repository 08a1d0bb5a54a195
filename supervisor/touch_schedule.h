// When a touched app may be restarted.  Pure: virtual time in test_touch_schedule.cc.
//
//   touched ----> at once, and not before the pause after the last such restart is over
//
// The pause is kFirstPause, doubles up to kLastPause while touches keep coming, and is kFirstPause again after twice its
// time without one: however often a tenant touches its files, its host starts few generations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace rowhouse::supervisor {

class TouchSchedule {
 public:
  static constexpr Duration kFirstPause = std::chrono::seconds(5);
  static constexpr Duration kLastPause = std::chrono::seconds(60);

  // A generation says that a file was touched while it was there.
  void on_touched(std::uint32_t generation) { generation_ = std::max(generation_, generation); }
  // What was touched before `newest` began is in it.
  void forget_before(std::uint32_t newest) {
    if (generation_ < newest) generation_ = 0;
  }
  void forget() { generation_ = 0; }
  [[nodiscard]] bool due(Instant now) const { return generation_ != 0 && (!begun_at_ || now >= *begun_at_ + pause_); }
  // The restart begins.
  void on_begun(Instant now) {
    const bool goes_on = begun_at_ && now < *begun_at_ + 2 * pause_;
    pause_ = goes_on ? std::min(2 * pause_, kLastPause) : kFirstPause;
    begun_at_ = now;
    generation_ = 0;
  }

 private:
  std::uint32_t generation_ = 0;  // the newest that was touched; 0: none
  std::optional<Instant> begun_at_;
  Duration pause_ = kFirstPause;
};

}  // namespace rowhouse::supervisor
