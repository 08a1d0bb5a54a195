// The life of one worker as a pure machine: what it is, what happens to it, what is to be done then.  Time comes
// from outside; the process, its descriptors and its cgroup are worker.h's.
//
//             BORN            READY           leave or stuck
//   spawning ------> loading -------> ready ----------------> draining
//       |               |               |                        |  time over: SIGTERM, then kill
//       |  time over:   |  time over:   |                        |  stuck and nobody waits: kill
//       |  kill         |  stacks, kill |                        |
//       +---------------+---------------+---- process ended -----+----> dying ---> gone (finish)
//
// Leaving before READY is a kill: nothing can be lost yet.  Every state but ready has exactly one deadline,
// except that of one that was killed nothing but its end is awaited.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "proto/control_messages.h"

namespace rowhouse::supervisor {

// How long a worker may take for what, outside of itself.
struct WorkerTimes {
  Duration startup{};
  Duration graceful{};  // from DRAIN to SIGTERM
  Duration shutdown{};  // from SIGTERM to the kill
};

enum class WorkerEvent : std::uint8_t {
  kBorn,      // the kernel says who it is
  kReady,     // it said READY
  kLeave,     // it shall finish its requests and go
  kStuck,     // one of its requests is over its time
  kUnneeded,  // nobody waits for any of its requests
  kTimeOver,  // the deadline has come
  kEnded,     // the process has ended, or never was
};

// What is to be done, in this order.
struct WorkerActions {
  bool go = false;         // GO: it may exec
  bool announce = false;   // it can be given requests
  bool stacks = false;     // its Python stacks go to its log
  bool drain = false;      // DRAIN
  bool terminate = false;  // SIGTERM
  bool kill = false;       // its whole leaf
  bool lost = false;       // it can be given no requests any more
  bool finish = false;     // everything is known
  auto operator<=>(const WorkerActions&) const = default;
};

// How hard a worker that shall go has been asked.
enum class Pressure : std::uint8_t { kNone, kDrain, kTerminate, kKill };

struct WorkerLife {
  proto::WorkerState state = proto::WorkerState::kSpawning;
  Pressure pressure = Pressure::kNone;
  std::optional<Instant> deadline;
  std::optional<Instant> stacks_at;  // when the stacks were asked for
};

// Between asking for the stacks and the kill: they are written by a signal handler.
inline constexpr Duration kStacksTime = std::chrono::milliseconds(300);
// From the end of the process to what the steward says of it.
inline constexpr Duration kStatusTime = std::chrono::seconds(2);
// From the end of the lifeline of one that was to be forked to the end of waiting for the template's: the kernel closes
// the descriptors of a process before it tells of its end.
inline constexpr Duration kUnbornTime = std::chrono::milliseconds(100);

[[nodiscard]] WorkerLife new_worker_life(const WorkerTimes& times, Instant now);
// Moves the life.  An event that means nothing in its state does nothing; kTimeOver before the deadline neither.
[[nodiscard]] WorkerActions step(WorkerLife& life, WorkerEvent event, const WorkerTimes& times, Instant now);

}  // namespace rowhouse::supervisor
