// Between the supervisor and rowhouse-control: who exists, what happened, what shall be done.
// Control decides who may ask (SO_PEERCRED); the supervisor accepts only these fixed messages.
#pragma once

#include "proto/loader_messages.h"
#include "proto/message.h"

namespace rowhouse::proto {

// supervisor -> control, first.  Descriptors: the listening API socket, the log directory.
struct ControlSetup {
  static constexpr MessageType kType = MessageType::kControlSetup;
  static constexpr std::size_t kDescriptors = 2;
  static constexpr void fields(auto&, auto&) {}
};

// control -> supervisor: answering.
struct ControlReady {
  static constexpr MessageType kType = MessageType::kControlReady;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> control: a uid with the admin role.
struct ControlAdmin {
  static constexpr MessageType kType = MessageType::kControlAdmin;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t uid = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.uid); }
};

// supervisor -> control: a tenant of the registry; its uid has the tenant role.  With the uid kTenantGone the
// tenant has left the registry and its uid loses the role.
inline constexpr std::uint32_t kTenantGone = 0xffffffff;
struct TenantInfo {
  static constexpr MessageType kType = MessageType::kTenantInfo;
  static constexpr std::size_t kDescriptors = 0;
  Name tenant;
  std::uint32_t uid = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.tenant, m.uid); }
};

// supervisor -> control, with the sentences in a sealed memory file: why the tenant's file or manifest was
// refused, until the next TenantProblem or a `resolved` one (whose memory file is empty).
struct TenantProblem {
  static constexpr MessageType kType = MessageType::kTenantProblem;
  static constexpr std::size_t kDescriptors = 1;
  Name tenant;
  bool resolved = false;
  static constexpr void fields(auto& m, auto& visit) { visit(m.tenant, m.resolved); }
};

// supervisor -> control: whether the tenant is suspended, and why, in the place of all that was said of it before; then for
// each app that is suspended by itself.  A tenant of which nothing is said is not.
struct TenantSuspension {
  static constexpr MessageType kType = MessageType::kTenantSuspension;
  static constexpr std::size_t kDescriptors = 0;
  Name tenant;
  Name app;  // empty: the whole tenant
  bool suspended = false;
  SuspensionReason reason;  // empty: none was given
  static constexpr void fields(auto& m, auto& visit) { visit(m.tenant, m.app, m.suspended, m.reason); }
};

// supervisor -> control, with the read end of a log pipe of one worker (worker 0: the steward).
struct LogSource {
  static constexpr MessageType kType = MessageType::kLogSource;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  Name tenant;
  Name name;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.app, m.generation, m.worker, m.tenant, m.name);
  }
};

// supervisor -> control, with the receiving end of a gateway's access records.
struct AccessSource {
  static constexpr MessageType kType = MessageType::kAccessSource;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t gateway = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.gateway); }
};

enum class LimitOwner : std::uint8_t { kNone = 0, kApp = 1, kPlan = 2 };
inline constexpr LimitOwner last_value(LimitOwner) { return LimitOwner::kPlan; }

// The limits that had to do with an ending, from the kernel's counters.
struct LimitFacts {
  LimitOwner memory_owner = LimitOwner::kNone;  // of kOom: whose limit was reached
  std::uint64_t memory_limit_bytes = 0;
  std::uint64_t memory_bytes = 0;   // what the worker itself had at most
  std::uint64_t forks_refused = 0;  // processes and threads that the worker was refused
  std::uint32_t pids_limit = 0;     // by this limit
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.memory_owner, m.memory_limit_bytes, m.memory_bytes, m.forks_refused, m.pids_limit);
  }
  bool operator==(const LimitFacts&) const = default;
};

// What the process was that ended; all 0 when there never was one.
struct ProcessFacts {
  std::uint32_t pid = 0;     // on the host
  std::uint32_t age_ms = 0;  // from the order to start it to its end
  bool was_ready = false;    // it had got the app ready
  static constexpr void fields(auto& m, auto& visit) { visit(m.pid, m.age_ms, m.was_ready); }
  bool operator==(const ProcessFacts&) const = default;
};

// Why something ended.  `argument` as proto/causes.h says.
struct Ending {
  Cause cause = Cause::kNone;
  std::int32_t argument = 0;
  LimitFacts limits;
  ProcessFacts process;
};

// supervisor -> control: a worker died or a start failed (worker 0: the sandbox).  Repeated to each fresh control
// process until DeathStored has come.
struct Death {
  static constexpr MessageType kType = MessageType::kDeath;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  Cause cause = Cause::kNone;
  std::int32_t argument = 0;
  std::int64_t at_ms = 0;  // since 1970-01-01T00:00:00Z
  LimitFacts limits;
  ProcessFacts process;
  Name tenant;
  Name name;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.app, m.generation, m.worker, m.cause, m.argument, m.at_ms);
    LimitFacts::fields(m.limits, visit);
    ProcessFacts::fields(m.process, visit);
    visit(m.tenant, m.name);
  }
};

enum class HostProcess : std::uint8_t { kGateway = 0, kControl = 1 };
inline constexpr HostProcess last_value(HostProcess) { return HostProcess::kControl; }

// supervisor -> control: a process of Rowhouse's own died.  Repeated like Death.
struct HostDeath {
  static constexpr MessageType kType = MessageType::kHostDeath;
  static constexpr std::size_t kDescriptors = 0;
  HostProcess process = HostProcess::kGateway;
  std::uint32_t number = 0;  // of the gateway
  std::uint32_t pid = 0;
  Cause cause = Cause::kNone;
  std::int32_t argument = 0;
  std::int64_t at_ms = 0;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.process, m.number, m.pid, m.cause, m.argument, m.at_ms);
  }
};

// control -> supervisor: the Death with these fields is on disk.  Of a HostDeath: app 0, the process as generation,
// its number as worker.
struct DeathStored {
  static constexpr MessageType kType = MessageType::kDeathStored;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::int64_t at_ms = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation, m.worker, m.at_ms); }
  bool operator==(const DeathStored&) const = default;
};

// control -> supervisor: tell me about apps, in the order of their numbers, after `after_app`.  The answer
// is at most kAppsPerQuery AppInfos, each followed by its WorkerInfos and its AppUsage, then the TenantUsage of their
// tenants, and a QueryEnd.
inline constexpr std::uint32_t kAppsPerQuery = 16;
struct Query {
  static constexpr MessageType kType = MessageType::kQuery;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;  // empty: all
  Name app;     // empty: all of the tenant
  std::uint32_t after_app = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.tenant, m.app, m.after_app); }
};

enum class AppState : std::uint8_t {
  kStopped = 0, kStarting, kRunning, kDegraded, kRestarting, kIdle, kBackoff, kFailed, kSuspended,
};
inline constexpr AppState last_value(AppState) { return AppState::kSuspended; }
[[nodiscard]] std::string_view app_state_name(AppState state);

enum class WorkerState : std::uint8_t { kSpawning = 0, kLoading, kReady, kDraining, kDying };
inline constexpr WorkerState last_value(WorkerState) { return WorkerState::kDying; }
[[nodiscard]] std::string_view worker_state_name(WorkerState state);

struct AppInfo {
  static constexpr MessageType kType = MessageType::kAppInfo;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  std::uint32_t app = 0;
  Name tenant;
  Name name;
  AppState state = AppState::kStopped;
  std::uint32_t generation = 0;  // the serving one, or the last one
  std::uint64_t restarts = 0;    // replaced workers and rolled generations since the app was first seen
  std::uint32_t workers_min = 0, workers_max = 0;
  Cause exit_cause = Cause::kNone;  // of the last death; kNone: none yet
  std::int32_t exit_argument = 0;
  std::int64_t exit_at_ms = 0;
  std::uint32_t exit_generation = 0, exit_worker = 0;
  std::uint32_t retry_in_ms = 0;  // in backoff: until the next start
  std::uint32_t missing_walls = 0;
  LimitFacts exit_limits;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.app, m.tenant, m.name, m.state, m.generation, m.restarts, m.workers_min, m.workers_max,
          m.exit_cause, m.exit_argument, m.exit_at_ms, m.exit_generation, m.exit_worker, m.retry_in_ms,
          m.missing_walls);
    LimitFacts::fields(m.exit_limits, visit);
  }
};

struct WorkerInfo {
  static constexpr MessageType kType = MessageType::kWorkerInfo;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::uint32_t pid = 0;  // on the host
  WorkerState state = WorkerState::kSpawning;
  std::uint64_t requests = 0;
  std::uint64_t memory_bytes = 0;  // of its cgroup leaf
  bool is_template = false;        // of preload: it forks workers and serves nothing
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.app, m.generation, m.worker, m.pid, m.state, m.requests, m.memory_bytes, m.is_template);
  }
};

struct QueryEnd {
  static constexpr MessageType kType = MessageType::kQueryEnd;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  std::uint32_t next_after = 0;  // ask again with this after_app; 0: that was all
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.next_after); }
};

enum class CommandKind : std::uint8_t { kStart = 0, kStop = 1, kRestart = 2, kRestartHard = 3, kStacks = 4 };
inline constexpr CommandKind last_value(CommandKind) { return CommandKind::kStacks; }

// control -> supervisor.  Answered by CommandDone when the outcome is known.
struct Command {
  static constexpr MessageType kType = MessageType::kCommand;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  std::uint32_t app = 0;
  CommandKind kind = CommandKind::kStart;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.app, m.kind); }
};

enum class CommandOutcome : std::uint8_t {
  kDone = 0,
  kNotFound = 1,   // no such app
  kFailed = 2,     // cause and argument say why; what served before still serves
  kBusy = 3,       // another command of this app is under way
  kConflict = 4,   // not possible in the app's state (restart of a stopped app)
  kSuspended = 5,  // its tenant is suspended
};
inline constexpr CommandOutcome last_value(CommandOutcome) { return CommandOutcome::kSuspended; }

struct CommandDone {
  static constexpr MessageType kType = MessageType::kCommandDone;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  CommandOutcome outcome = CommandOutcome::kDone;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;  // of the failed start: control joins its last line of stderr
  Cause cause = Cause::kNone;
  std::int32_t argument = 0;
  LimitFacts limits;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.outcome, m.generation, m.worker, m.cause, m.argument);
    LimitFacts::fields(m.limits, visit);
  }
};

enum class NoticeKind : std::uint8_t {
  kStarting = 0, kReady, kRestarting, kStopped, kBackoff, kScaled,
  kSuspended, kUnsuspended,  // its tenant was; it is not any more
  kTouched,                  // one of its files was: a restart follows
  kDegraded,                 // one that nobody had ordered has failed; what served goes on
};
inline constexpr NoticeKind last_value(NoticeKind) { return NoticeKind::kDegraded; }

// supervisor -> control: a step in an app's life, for its log.
struct AppNotice {
  static constexpr MessageType kType = MessageType::kAppNotice;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  Name tenant;
  Name name;
  NoticeKind kind = NoticeKind::kStarting;
  std::uint32_t generation = 0;
  std::uint32_t number = 0;  // kBackoff: milliseconds until the next start; kScaled: how many workers it shall have; kDegraded: the cause
  std::int64_t at_ms = 0;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.app, m.tenant, m.name, m.kind, m.generation, m.number, m.at_ms);
  }
};

}  // namespace rowhouse::proto
