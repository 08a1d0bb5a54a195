// What is written down of each app, sandbox and worker, for the supervisor that comes after this one.  Fields are
// added at the end only; zero means what it meant before the field was there.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/clock.h"
#include "proto/control_messages.h"
#include "proto/keeper_messages.h"

namespace rowhouse::supervisor {

// Instants are the kernel's monotonic time, which is one for all supervisors.
inline std::int64_t in_us(Instant instant) {
  return instant.time_since_epoch().count();
}
inline Instant from_us(std::int64_t us) {
  return Instant(Duration(us));
}

// Which command of which control process; request 0: none.
struct CommandId {
  std::uint32_t control_start = 0;
  std::uint32_t request = 0;
  bool operator==(const CommandId&) const = default;
};

struct AppNote {
  std::uint32_t number = 0;
  std::uint32_t row = 0;      // in the shared table
  std::uint32_t uid = 0;      // of the tenant
  std::uint32_t reading = 0;  // of the manifest: the one in force
  std::uint32_t next_reading = 0;
  std::uint32_t last_reading = 0;
  std::uint32_t last_generation = 0;
  std::uint32_t serving = 0;  // generations; 0: none
  std::uint32_t next = 0;     // the one that is being started
  std::uint32_t revision = 0;
  std::uint64_t restarts = 0;
  std::uint64_t removed_oom_kills = 0;
  std::uint64_t removed_forks_refused = 0;
  std::uint64_t seen_limit_hits = 0;
  std::int64_t retry_at_us = 0;  // monotonic
  std::int64_t healthy_since_us = 0;
  std::uint32_t deaths = 0;
  std::uint8_t healthy = 0;
  std::uint8_t restart_failed = 0;
  std::uint8_t retry = 0;
  std::uint8_t unused = 0;
  // --- the last death that was no order of ours
  proto::Ending last_exit;
  std::int64_t last_exit_ms = 0;
  std::uint32_t last_exit_generation = 0;
  std::uint32_t last_exit_worker = 0;
  // --- the last command, and how it ended once it has
  CommandId command;
  std::uint8_t command_done = 0;
  proto::CommandOutcome outcome = proto::CommandOutcome::kDone;
  proto::Ending outcome_ending;
  std::uint32_t outcome_generation = 0;
  std::uint32_t outcome_worker = 0;
  // --- how many workers it shall have; of an app that is in no manifest any more: it is leaving
  std::uint32_t wanted = 0;
  std::uint8_t leaving = 0;
  // --- further apps of its share, by name; number 0: no more
  struct Other {
    std::uint32_t number = 0;
    std::uint32_t row = 0;
  };
  Other others[proto::kMaxAppsPerShare - 1];
};

// Of supervisor/sandbox.h; the numbers are kept.
enum class SandboxPhase : std::uint8_t { kBuilding = 0, kStanding = 1, kClosing = 2, kClosed = 3 };

struct SandboxNote {
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t next_worker = 0;
  std::uint32_t missing_walls = 0;
  std::int64_t deadline_us = 0;  // monotonic; 0: none
  std::uint32_t startup_ms = 0;  // times of its workers
  std::uint32_t graceful_ms = 0;
  std::uint32_t shutdown_ms = 0;
  SandboxPhase phase = SandboxPhase::kBuilding;
  proto::Cause closing_cause = proto::Cause::kNone;
};

// What a worker's process is and where it comes from; the numbers are kept.
enum class WorkerRole : std::uint8_t {
  kWorker = 0,    // forked by the steward, imports the app itself
  kTemplate = 1,  // the same, but only forks workers (preload)
  kForked = 2,    // forked by the template
};

struct WorkerNote {
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::int32_t pid = 0;
  std::int64_t deadline_us = 0;  // monotonic; 0: none
  std::uint32_t row = 0;         // in the shared table, plus 1
  std::int32_t wait_status = 0;
  std::uint32_t seccomp = 0;
  proto::WorkerState state = proto::WorkerState::kSpawning;
  std::uint8_t has_wait_status = 0;
  std::uint8_t has_seccomp = 0;
  std::uint8_t drained = 0;
  std::uint8_t killed = 0;
  std::uint8_t ended = 0;
  proto::Cause decided = proto::Cause::kNone;
  std::uint16_t failed_step = 0;  // 0: none
  std::int32_t decided_argument = 0;
  std::int64_t stacks_at_us = 0;  // monotonic; 0: not asked for
  std::int64_t ready_at_us = 0;   // monotonic
  std::uint32_t random = 0;       // its jitter
  std::uint8_t pressure = 0;      // of worker_life.h
  std::uint8_t proved = 0;
  std::uint8_t runs_event_loop = 0;
  std::uint8_t was_ready = 0;
  std::int64_t ordered_at_us = 0;  // monotonic
  WorkerRole role = WorkerRole::kWorker;
  std::uint8_t event_loops = 0;                          // of further apps of the share, a bit each
  std::uint32_t other_rows[proto::kMaxAppsPerShare - 1] = {};  // for further apps of the share, plus 1
};

// How far the last upgrade has come.
enum class UpgradeStage : std::uint8_t { kNone = 0, kAsked = 1, kReplacing = 2, kAnswered = 3 };

struct HostNote {
  CommandId upgrade;
  UpgradeStage stage = UpgradeStage::kNone;
  proto::UpgradeOutcome outcome = proto::UpgradeOutcome::kDone;
  std::int32_t argument = 0;
};

static_assert(std::is_trivially_copyable_v<HostNote> && std::is_trivially_copyable_v<AppNote> && std::is_trivially_copyable_v<SandboxNote> &&
              std::is_trivially_copyable_v<WorkerNote>);

}  // namespace rowhouse::supervisor
