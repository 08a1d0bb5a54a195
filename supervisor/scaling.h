// How many workers an app shall have and which of them shall go: decided from what the shared table and the
// leaves' counters show, a few times a second.  Pure: looks and time come from outside.
//
//                   requests would wait (two looks in a row)          worker ready
//        wanted n  ------------------------------------------>  n+1 ------------------> ...
//            ^                                                    |
//            +------- a worker beyond min had nothing to do ------+
//            +------- max has been lowered: the newest go, busy or not
//
//   0 wanted: the app sleeps; a request makes it 1.
//
// A worker that has done enough (requests, lifetime, memory) is replaced: first one more is wanted, when that one
// is ready the old one leaves.  Where max leaves no place for one more, the old one leaves first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "proto/control_messages.h"

namespace rowhouse::supervisor {

// Zero means never or no end.
struct ScalingRules {
  std::uint32_t min = 1, max = 1;
  std::uint32_t threads = 1;
  Duration idle{};
  std::uint32_t max_requests = 0;
  Duration max_lifetime{};
  std::uint64_t max_memory_bytes = 0;
};

// One worker of the serving generation.
struct WorkerLook {
  std::uint32_t id = 0;
  proto::WorkerState state = proto::WorkerState::kSpawning;
  std::uint32_t in_flight = 0;     // of all gateways
  std::uint64_t requests = 0;      // sent to it so far
  std::uint64_t memory_bytes = 0;  // 0: not looked at this time
  std::uint32_t random = 0;        // of its own, never changing: its jitter
  Instant ready_at{};              // zero: since the first look at it
};

struct AppLook {
  std::uint32_t queued = 0;  // waiting in the gateways
  std::vector<WorkerLook> workers;
};

struct Leaving {
  std::uint32_t worker = 0;
  proto::Cause cause = proto::Cause::kIdle;
  auto operator<=>(const Leaving&) const = default;
};

// Requests that would wait so long want another worker.
inline constexpr Duration kWaitToScale = std::chrono::milliseconds(50);
inline constexpr int kLooksToScale = 2;
inline constexpr std::uint32_t kJitterPercent = 5;

class Scaling {
 public:
  // A generation begins to serve with `workers`.
  void begin(std::uint32_t workers) { *this = Scaling(); wanted_ = workers; }
  // How many workers there should be that are ready or on their way to it.
  [[nodiscard]] std::uint32_t wanted() const { return wanted_; }
  // A request waits and there is no worker.
  void want_one() { wanted_ = wanted_ == 0 ? 1 : wanted_; }
  // Changes wanted() and returns who shall leave now.  At most one worker is added and one sent away by each look.
  [[nodiscard]] std::vector<Leaving> look(const AppLook& app, const ScalingRules& rules, Instant now);

 private:
  struct Known {
    std::uint64_t requests = 0;
    Instant ready_at{};
    Instant active_at{};  // last seen with a request
  };
  struct Replacement {
    std::uint32_t worker = 0;  // that shall go
    proto::Cause cause{};
    std::uint32_t newest = 0;  // worker when it was decided: its successor has a higher number
  };

  // How many requests went to ready workers since the last look.
  std::uint64_t remember(const AppLook& app, Instant now);
  [[nodiscard]] bool would_wait(const AppLook& app, const ScalingRules& rules, std::uint64_t sent, Instant now) const;
  [[nodiscard]] std::optional<proto::Cause> is_due(const WorkerLook& worker, const ScalingRules& rules, Instant now) const;
  [[nodiscard]] std::optional<Leaving> go_on_replacing(const AppLook& app);
  [[nodiscard]] std::optional<Leaving> begin_replacing(const AppLook& app, const ScalingRules& rules, Instant now);
  [[nodiscard]] std::optional<Leaving> send_surplus_away(const AppLook& app, const ScalingRules& rules) const;
  [[nodiscard]] std::optional<Leaving> send_idle_away(const AppLook& app, const ScalingRules& rules, Instant now);

  std::uint32_t wanted_ = 0;
  int pressed_looks_ = 0;
  std::optional<Instant> looked_at_;
  std::map<std::uint32_t, Known> known_;  // ready workers
  std::optional<Replacement> replacement_;
};

}  // namespace rowhouse::supervisor
