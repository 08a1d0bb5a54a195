// Between the supervisor and a gateway.  The supervisor alone tells a gateway what exists: AppBegin, the
// app's routes and static prefixes, AppCommit; then workers with their channels.  The gateway answers.
// An app is known by its number; a name is for logs only.
#pragma once

#include "proto/loader_messages.h"
#include "proto/message.h"

namespace rowhouse::proto {

// supervisor -> gateway, first.  Descriptors: the socket for access records (access_record.h), the shared
// table (shared_table.h).
struct GatewaySetup {
  static constexpr MessageType kType = MessageType::kGatewaySetup;
  static constexpr std::size_t kDescriptors = 2;
  std::uint32_t index = 0;  // the gateway's column in the shared table
  std::uint32_t count = 0;
  std::uint32_t connections_per_address = 0;  // 0: a quarter of what the process can hold
  static constexpr void fields(auto& m, auto& visit) { visit(m.index, m.count, m.connections_per_address); }
};

// supervisor -> gateway, with a listening socket.  A number that the gateway knows already says the same again, or that
// its connections begin otherwise from now on.
struct Listener {
  static constexpr MessageType kType = MessageType::kListener;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t listener = 0;
  bool proxy_protocol = false;  // every connection begins with a PROXY header
  static constexpr void fields(auto& m, auto& visit) { visit(m.listener, m.proxy_protocol); }
};

// supervisor -> gateway: takes what waits in this listener's line, closes it and sends its clients home after what they
// have asked for.  An unknown number means nothing.
struct ListenerGone {
  static constexpr MessageType kType = MessageType::kListenerGone;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t listener = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.listener); }
};

// supervisor -> gateway, after GatewaySetup: what the host file says beyond it.
struct GatewayOptions {
  static constexpr MessageType kType = MessageType::kGatewayOptions;
  static constexpr std::size_t kDescriptors = 0;
  Host default_site;  // answers for hosts that nobody has; empty: 421
  bool penalties = true;
  bool forwarded = false;  // a trusted proxy speaks by Forwarded (RFC 7239), else by X-Forwarded-For and -Proto
  static constexpr void fields(auto& m, auto& visit) { visit(m.default_site, m.penalties, m.forwarded); }
};

// supervisor -> gateway, with a directory of the host's, opened O_PATH: /.well-known/acme-challenge/ of every host.
struct AcmeDirectory {
  static constexpr MessageType kType = MessageType::kAcmeDirectory;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t uid = 0;  // owner that a file must have
  static constexpr void fields(auto& m, auto& visit) { visit(m.uid); }
};

// supervisor -> gateway, with a directory of the gateway's own on a disk, for large request bodies: files without a name.
struct SpoolDirectory {
  static constexpr MessageType kType = MessageType::kSpoolDirectory;
  static constexpr std::size_t kDescriptors = 1;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> gateway: connections from such an address may say who the client is.
struct TrustedProxy {
  static constexpr MessageType kType = MessageType::kTrustedProxy;
  static constexpr std::size_t kDescriptors = 0;
  bool local = false;  // over a UNIX socket; else:
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};  // network order, 4 bytes used for IPv4
  std::uint8_t bits = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.local, m.ipv6, m.address, m.bits); }
};

// gateway -> supervisor: listening.  Sent once, after GatewaySetup and in any order with Listeners.
struct GatewayReady {
  static constexpr MessageType kType = MessageType::kGatewayReady;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> gateway: what follows until AppCommit replaces everything known of this app but its workers.
struct AppBegin {
  static constexpr MessageType kType = MessageType::kAppBegin;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t slot = 0;  // row in the shared table, < kMaxApps
  std::uint32_t revision = 0;
  Name tenant;
  Name name;
  std::uint32_t uid = 0;          // owner that a static file must have
  std::uint64_t body_bytes = 0;   // largest request body
  std::uint32_t request_ms = 0;   // from dispatch to END
  std::uint32_t queue_ms = 0;     // longest wait for a worker
  std::uint32_t concurrency = 0;  // in flight, all gateways together
  std::uint32_t queue = 0;        // waiting, all gateways together
  std::uint32_t rate = 0;         // requests of the tenant in each second, all gateways together; 0: no limit
  std::uint32_t connections = 0;  // of clients with the tenant, all gateways together; 0: no limit
  std::uint64_t bytes_out = 0;    // to clients of the tenant in each second, all gateways together; 0: no limit
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.app, m.slot, m.revision, m.tenant, m.name, m.uid, m.body_bytes, m.request_ms, m.queue_ms,
          m.concurrency, m.queue, m.rate, m.connections, m.bytes_out);
  }
};

struct AppRoute {
  static constexpr MessageType kType = MessageType::kAppRoute;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  Host host;      // lower case; may begin with "*."
  Prefix prefix;  // "" or "/a/b"
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.host, m.prefix); }
};

// With the directory, opened O_PATH as the tenant.
struct AppStatic {
  static constexpr MessageType kType = MessageType::kAppStatic;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t app = 0;
  Prefix prefix;  // "/static/", relative to each route
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.prefix); }
};

// With the app's gateway part (gateway_part.h), which comes from the tenant; without it all defaults hold.
struct AppPart {
  static constexpr MessageType kType = MessageType::kAppPart;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t app = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app); }
};

// Between AppBegin and AppCommit; without it kUnstarted.
struct AppRetry {
  static constexpr MessageType kType = MessageType::kAppRetry;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  RetryPolicy policy = RetryPolicy::kUnstarted;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.policy); }
};

struct AppCommit {
  static constexpr MessageType kType = MessageType::kAppCommit;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t revision = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.revision); }
};

// gateway -> supervisor: the revision is in force.
struct AppCommitted {
  static constexpr MessageType kType = MessageType::kAppCommitted;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t revision = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.revision); }
};

// supervisor -> gateway: routes, statics and workers of the app are gone; what waits gets 503 RH-STOPPED.
struct AppRemove {
  static constexpr MessageType kType = MessageType::kAppRemove;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app); }
};

// Whether requests may wait for a worker.
enum class AppCondition : std::uint8_t {
  kServing = 0,   // or starting: requests wait in the queue
  kStopped = 1,   // 503 RH-STOPPED at once
  kBackoff = 2,   // 503 RH-BACKOFF with Retry-After at once, unless a worker is there
  kSuspended = 3,  // 503 RH-SUSPENDED at once, for static files and redirects too
};
inline constexpr AppCondition last_value(AppCondition) { return AppCondition::kSuspended; }

struct AppConditionChange {
  static constexpr MessageType kType = MessageType::kAppCondition;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  AppCondition condition = AppCondition::kServing;
  std::uint32_t retry_after_s = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.condition, m.retry_after_s); }
};

// supervisor -> gateway, with one end of a channel: a ready worker.  Used once its generation is switched to.
struct WorkerAdd {
  static constexpr MessageType kType = MessageType::kWorkerAdd;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::uint32_t slot = 0;     // row in the shared table, < kMaxWorkers
  std::uint32_t threads = 0;  // streams that it runs at the same time
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.app, m.generation, m.worker, m.slot, m.threads);
  }
};

// supervisor -> gateway: the worker is dead.  EOF on its channel is only a hint (a child of it may hold the
// other end); this message is the fact.
struct WorkerGone {
  static constexpr MessageType kType = MessageType::kWorkerGone;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation, m.worker); }
};

// supervisor -> gateway: from now on requests go to workers of this generation only.
struct Switch {
  static constexpr MessageType kType = MessageType::kSwitch;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation); }
};

// gateway -> supervisor: the switch is in force.
struct Switched {
  static constexpr MessageType kType = MessageType::kSwitched;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation); }
};

enum class FaultKind : std::uint8_t {
  kProtocol = 0,        // bytes that break the request protocol; the gateway has closed the channel
  kRequestTimeout = 1,  // a request is over its time; the gateway has answered 504 or aborted
};
inline constexpr FaultKind last_value(FaultKind) { return FaultKind::kRequestTimeout; }

// gateway -> supervisor: this worker must go.
struct WorkerFault {
  static constexpr MessageType kType = MessageType::kWorkerFault;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  FaultKind kind = FaultKind::kProtocol;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation, m.worker, m.kind); }
};

// gateway -> supervisor: requests wait, and no worker that may be used is there.  Said once when that begins, and
// again every second while it lasts.
struct AppWanted {
  static constexpr MessageType kType = MessageType::kAppWanted;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app); }
};

// supervisor -> gateway: ask this worker for the path and answer Probed.
struct Probe {
  static constexpr MessageType kType = MessageType::kProbe;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t probe = 0;  // names the answer
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::uint32_t time_ms = 0;
  Host host;      // a name, never "*.x"
  Prefix prefix;  // of the route: SCRIPT_NAME
  Path path;      // below it; begins with a slash
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.probe, m.app, m.generation, m.worker, m.time_ms, m.host, m.prefix, m.path);
  }
};

enum class ProbeOutcome : std::uint8_t {
  kAnswered = 0,  // wholly, with `status`
  kTimeOver = 1,
  kFailed = 2,    // the worker ended the answer, or its answer breaks HTTP
  kNotAsked = 3,  // no such worker, or it takes no requests
};
inline constexpr ProbeOutcome last_value(ProbeOutcome) { return ProbeOutcome::kNotAsked; }

// gateway -> supervisor: the answer to Probe.
struct Probed {
  static constexpr MessageType kType = MessageType::kProbed;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t probe = 0;
  ProbeOutcome outcome = ProbeOutcome::kAnswered;
  std::uint16_t status = 0;  // of kAnswered
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.probe, m.outcome, m.status); }
};

// supervisor -> gateway: the worker shall go.  It gets no more requests, whether it says DRAIN on its channel or
// cannot any more; those that it has go on.
struct WorkerLeaving {
  static constexpr MessageType kType = MessageType::kWorkerLeaving;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation, m.worker); }
};

// supervisor -> gateway: stop accepting, finish what runs within the time, exit 0.
struct Retire {
  static constexpr MessageType kType = MessageType::kRetire;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t drain_ms = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.drain_ms); }
};

// gateway -> supervisor, in the answer to Resync: an app that I know, and the generation that I use (0: none
// yet).  Its workers follow, then what is unanswered: WorkerFault.
struct GatewayApp {
  static constexpr MessageType kType = MessageType::kGatewayApp;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation); }
};

// gateway -> supervisor, in the answer to Resync: a worker whose channel I have.
struct GatewayWorker {
  static constexpr MessageType kType = MessageType::kGatewayWorker;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.generation, m.worker); }
};

}  // namespace rowhouse::proto
