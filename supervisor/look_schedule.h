// When a tenant's manifest is looked at.  Pure.
//
//   event or order --> at least kSettle after the event that woke us, at least kPause after the last look began
//   not watched, or refused --> again kRecheck after the last look
//
// However often something happens, a tenant costs one loader in kPause (THREATS R29; test_look_schedule.cc).
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.h"

namespace rowhouse::supervisor {

enum class LookResult : std::uint8_t {
  kSettled,  // accepted and watched: the next event counts
  kOpen,     // refused, or nobody will tell of a change: look again after a while
};

class LookSchedule {
 public:
  static constexpr Duration kSettle = std::chrono::milliseconds(200);
  static constexpr Duration kPause = std::chrono::seconds(2);
  static constexpr Duration kRecheck = std::chrono::seconds(60);

  // Something has happened to the file.
  void on_event(Instant now) { want(now + kSettle); }
  // Somebody asks for a look.
  void on_order(Instant now) {
    ordered_ = true;
    want(now);
  }
  void on_begun(Instant now) {
    running_ = true;
    ordered_ = false;
    wanted_at_.reset();
    may_begin_at_ = now + kPause;
  }
  void on_done(Instant now, LookResult result) {
    running_ = false;
    if (result == LookResult::kOpen && !wanted_at_) want(now + kRecheck);
  }
  // Somebody has asked since the last look began.
  [[nodiscard]] bool ordered() const { return ordered_; }
  // When the next look is due; nothing: not before something happens.
  [[nodiscard]] std::optional<Instant> due() const {
    if (running_ || !wanted_at_) return std::nullopt;
    return std::max(*wanted_at_, may_begin_at_);
  }

 private:
  void want(Instant at) { wanted_at_ = wanted_at_ ? std::min(*wanted_at_, at) : at; }

  bool running_ = false;
  bool ordered_ = false;
  std::optional<Instant> wanted_at_;
  Instant may_begin_at_{};
};

}  // namespace rowhouse::supervisor
