// Between the supervisor and a loader.  The supervisor sends one Load... message; the loader answers with
// records in the order of the file and ends with Loaded, or with LoadError.  Records that arrived before a
// LoadError count for nothing.  A loader answers any number of Load... messages and exits at end of file.
//
// SECURITY: what LoadManifest brings back are tenant bytes (the tenant may trace its loader), so the
// supervisor re-checks every name, domain, ceiling and prefix (test_registry.cc).
#pragma once

#include <array>

#include "proto/message.h"

namespace rowhouse::proto {

using Name = Text<kMaxNameBytes>;
using Host = Text<kMaxHostBytes>;
using Prefix = Text<kMaxPrefixBytes>;
using Path = Text<kMaxPathBytes>;
using SuspensionReason = Text<kMaxReasonOfSuspensionBytes>;

// supervisor -> loader, with the host file opened for reading.  `path` is for error messages only.
struct LoadHost {
  static constexpr MessageType kType = MessageType::kLoadHost;
  static constexpr std::size_t kDescriptors = 1;
  Path path;
  static constexpr void fields(auto& m, auto& visit) { visit(m.path); }
};

// supervisor -> loader, with the tenant file opened for reading.
struct LoadTenant {
  static constexpr MessageType kType = MessageType::kLoadTenant;
  static constexpr std::size_t kDescriptors = 1;
  Name tenant;  // the file's name without .yaml
  Path path;
  static constexpr void fields(auto& m, auto& visit) { visit(m.tenant, m.path); }
};

// supervisor -> loader that runs as the tenant: read `manifest` below `home`.
struct LoadManifest {
  static constexpr MessageType kType = MessageType::kLoadManifest;
  static constexpr std::size_t kDescriptors = 0;
  Name tenant;
  Name user;  // for USER and LOGNAME of the workers
  Path home;
  Path manifest;  // relative to home
  Text<15> default_python;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.tenant, m.user, m.home, m.manifest, m.default_python);
  }
};

enum class NetworkMode : std::uint8_t { kHost = 0, kPrivate = 1 };
inline constexpr NetworkMode last_value(NetworkMode) { return NetworkMode::kPrivate; }

// The host file.  Users are already numbers; paths are absolute.  0 for gateway_processes means auto, for
// connections_per_address a quarter of what a gateway can hold.
struct HostRecord {
  static constexpr MessageType kType = MessageType::kHostRecord;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t gateway_processes = 0;
  std::uint32_t connections_per_address = 0;
  std::uint32_t gateway_uid = 0, gateway_gid = 0;
  std::uint32_t control_uid = 0, control_gid = 0;
  std::uint32_t uid_min = 1000;
  bool strict = false;
  Path control_socket, tenants, state, run, logs;
  Path cgroup_parent;  // empty: auto
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.gateway_processes, m.connections_per_address, m.gateway_uid, m.gateway_gid, m.control_uid, m.control_gid, m.uid_min,
          m.strict, m.control_socket, m.tenants, m.state, m.run, m.logs, m.cgroup_parent);
  }
};

// `network` of the host, plan or tenant record before it; absent: the host's for a plan, the plan's for a tenant.
struct NetworkRecord {
  static constexpr MessageType kType = MessageType::kNetworkRecord;
  static constexpr std::size_t kDescriptors = 0;
  NetworkMode mode = NetworkMode::kHost;
  static constexpr void fields(auto& m, auto& visit) { visit(m.mode); }
};

// One of `sockets` of the network before it: a UNIX socket of the host's whose directory the sandbox sees.
struct SocketRecord {
  static constexpr MessageType kType = MessageType::kSocketRecord;
  static constexpr std::size_t kDescriptors = 0;
  Path path;
  static constexpr void fields(auto& m, auto& visit) { visit(m.path); }
};

// One of `connect` of the network before it: a TCP port that may be connected to.  None: all.
struct PortRecord {
  static constexpr MessageType kType = MessageType::kPortRecord;
  static constexpr std::size_t kDescriptors = 0;
  std::uint16_t port = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.port); }
};

// One of `listen`: http on an address, or on a UNIX socket.  `address` is network order, 4 bytes used for IPv4.
struct ListenRecord {
  static constexpr MessageType kType = MessageType::kListenRecord;
  static constexpr std::size_t kDescriptors = 0;
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;
  bool proxy_protocol = false;  // every connection begins with a PROXY header
  Path path;                    // of a UNIX socket; empty: TCP
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.ipv6, m.address, m.port, m.proxy_protocol, m.path);
  }
};

// What the host file says of the gateways beyond HostRecord.  Absent: all defaults.
struct GatewayRecord {
  static constexpr MessageType kType = MessageType::kGatewayRecord;
  static constexpr std::size_t kDescriptors = 0;
  Host default_site;    // answers for hosts that nobody has; empty: 421
  Path acme_challenge;  // directory of /.well-known/acme-challenge/; empty: none
  bool penalties = true;
  bool forwarded = false;  // a trusted proxy speaks by Forwarded (RFC 7239), else by X-Forwarded-For and -Proto
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.default_site, m.acme_challenge, m.penalties, m.forwarded);
  }
};

// One of `trusted_proxies`: addresses whose first `bits` are these; on a UNIX socket when `local`.
struct TrustedProxyRecord {
  static constexpr MessageType kType = MessageType::kTrustedProxyRecord;
  static constexpr std::size_t kDescriptors = 0;
  bool local = false;
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{};
  std::uint8_t bits = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.local, m.ipv6, m.address, m.bits); }
};

// One of `control.admins`, as a uid.
struct AdminRecord {
  static constexpr MessageType kType = MessageType::kAdminRecord;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t uid = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.uid); }
};

// One of `pythons`: "3.11".  The first is the default.
struct PythonRecord {
  static constexpr MessageType kType = MessageType::kPythonRecord;
  static constexpr std::size_t kDescriptors = 0;
  Text<15> version;
  static constexpr void fields(auto& m, auto& visit) { visit(m.version); }
};

// Of cpu_weight and io_weight where nothing else is said (cgroup-v2.rst, Weights).
inline constexpr std::uint32_t kDefaultWeight = 100;
inline constexpr std::uint32_t kMaxWeight = 10'000;

struct PlanRecord {
  static constexpr MessageType kType = MessageType::kPlanRecord;
  static constexpr std::size_t kDescriptors = 0;
  Name name;
  std::uint64_t memory_bytes = 0;
  std::uint32_t cpu_percent = 0;  // of one core; 0: no quota
  std::uint32_t pids = 0;
  std::uint32_t workers = 0;
  std::uint32_t threads = 0;      // of one worker
  std::uint32_t concurrency = 0;  // requests in flight of the tenant
  std::uint32_t queue = 0;        // requests waiting per app
  std::uint64_t memory_high_bytes = 0;  // 0: none
  std::uint32_t cpu_weight = kDefaultWeight;
  std::uint32_t io_weight = 0;  // 0: the kernel's default
  std::uint64_t io_read_bytes = 0, io_write_bytes = 0;  // of each second, on the home's disk; 0: no limit
  std::uint32_t rate = 0;  // requests of the tenant in each second; 0: no limit
  std::uint32_t connections = 0;    // of clients with the tenant; 0: no limit
  std::uint64_t bytes_out = 0;      // to clients of the tenant in each second; 0: no limit
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.name, m.memory_bytes, m.cpu_percent, m.pids, m.workers, m.threads, m.concurrency, m.queue,
          m.memory_high_bytes, m.cpu_weight, m.io_weight, m.io_read_bytes, m.io_write_bytes, m.rate, m.connections,
          m.bytes_out);
  }
};

// A group of this host that has power over it (root, shadow, docker ...), as the host's group database knows it:
// never a tenant's.  With the host file's records, so that the supervisor asks no database.
struct PrivilegedGroupRecord {
  static constexpr MessageType kType = MessageType::kPrivilegedGroupRecord;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t gid = 0;
  Name name;
  static constexpr void fields(auto& m, auto& visit) { visit(m.gid, m.name); }
};

// A tenant file.  `user:` is resolved by the loader (NSS), the numbers are checked again by the supervisor.
struct TenantRecord {
  static constexpr MessageType kType = MessageType::kTenantRecord;
  static constexpr std::size_t kDescriptors = 0;
  Name user;
  std::uint32_t uid = 0, gid = 0;
  Path home;
  Name plan;
  Path manifest;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.user, m.uid, m.gid, m.home, m.plan, m.manifest);
  }
};

// The tenant of this file is suspended, or one app of it for each of these.  Absent: nothing is.
struct SuspensionRecord {
  static constexpr MessageType kType = MessageType::kSuspensionRecord;
  static constexpr std::size_t kDescriptors = 0;
  Name app;                 // empty: the whole tenant, and then there is no other of these
  SuspensionReason reason;  // UTF-8 without control characters; empty: none was given
  static constexpr void fields(auto& m, auto& visit) { visit(m.app, m.reason); }
};

// One of a tenant's `domains`: lower case, without a final dot; "*.acme.example" is host acme.example with
// wildcard set.
struct DomainRecord {
  static constexpr MessageType kType = MessageType::kDomainRecord;
  static constexpr std::size_t kDescriptors = 0;
  Host host;
  bool wildcard = false;
  static constexpr void fields(auto& m, auto& visit) { visit(m.host, m.wildcard); }
};

// Which requests may run a second time when their worker dies.
enum class RetryPolicy : std::uint8_t {
  kUnstarted = 0,   // only those that provably never ran
  kIdempotent = 1,  // also GET, HEAD, OPTIONS, TRACE, PUT and DELETE whose answer has not begun
};
inline constexpr RetryPolicy last_value(RetryPolicy) { return RetryPolicy::kIdempotent; }

// One app of a manifest, with its worker part (worker_part.h) as a sealed memory file.
// 0 in memory_bytes, cpu_percent and pids: only the plan's limit; in idle_ms and the three max_: never.
struct AppRecord {
  static constexpr MessageType kType = MessageType::kAppRecord;
  static constexpr std::size_t kDescriptors = 1;
  Name name;
  Text<15> python;
  std::uint32_t workers_min = 1, workers_max = 1;
  std::uint32_t threads = 1;
  std::uint64_t memory_bytes = 0;
  std::uint64_t body_bytes = 0;
  std::uint32_t startup_ms = 0, request_ms = 0, queue_ms = 0, graceful_ms = 0, shutdown_ms = 0;
  std::uint32_t cpu_percent = 0;  // of one core
  std::uint32_t pids = 0;
  std::uint32_t idle_ms = 0;
  std::uint32_t max_requests = 0;      // of one worker
  std::uint64_t max_lifetime_ms = 0;   // of one worker
  std::uint64_t max_memory_bytes = 0;  // of one worker
  Path health_path;                    // below each route, begins with a slash; empty: no health check
  std::uint32_t health_interval_ms = 0, health_ms = 0;
  std::uint32_t concurrency = 0;  // requests of one worker whose app is ASGI; 0: it is WSGI
  RetryPolicy retry = RetryPolicy::kUnstarted;
  bool preload = false;  // workers are forked from a template that has imported the app
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.name, m.python, m.workers_min, m.workers_max, m.threads, m.memory_bytes, m.body_bytes, m.startup_ms,
          m.request_ms, m.queue_ms, m.graceful_ms, m.shutdown_ms, m.cpu_percent, m.pids, m.idle_ms,
          m.max_requests, m.max_lifetime_ms, m.max_memory_bytes, m.health_path, m.health_interval_ms,
          m.health_ms, m.concurrency, m.retry, m.preload);
  }
};

// A route of the app before it.  `prefix` is "" or "/a/b": decoded, no dot segments, no slash at its end.
struct RouteRecord {
  static constexpr MessageType kType = MessageType::kRouteRecord;
  static constexpr std::size_t kDescriptors = 0;
  Host host;  // may begin with "*."
  Prefix prefix;
  static constexpr void fields(auto& m, auto& visit) { visit(m.host, m.prefix); }
};

// A static prefix of the app before it, with its directory opened O_PATH as the tenant.  `prefix` begins and
// ends with a slash and is relative to each route of the app.
struct StaticRecord {
  static constexpr MessageType kType = MessageType::kStaticRecord;
  static constexpr std::size_t kDescriptors = 1;
  Prefix prefix;
  static constexpr void fields(auto& m, auto& visit) { visit(m.prefix); }
};

// A file below the home whose change restarts the app before it (`reload: touch`).  The steward looks at it, as the
// tenant; nobody else opens it.
struct TouchRecord {
  static constexpr MessageType kType = MessageType::kTouchRecord;
  static constexpr std::size_t kDescriptors = 0;
  Path path;  // relative to the home
  static constexpr void fields(auto& m, auto& visit) { visit(m.path); }
};

// The app before it runs in the same workers as every other app of the manifest with this `share`.
struct ShareRecord {
  static constexpr MessageType kType = MessageType::kShareRecord;
  static constexpr std::size_t kDescriptors = 0;
  Name share;
  static constexpr void fields(auto& m, auto& visit) { visit(m.share); }
};

// The gateway part (gateway_part.h) of the app before it, as a sealed memory file; absent: all defaults.
struct GatewayPartRecord {
  static constexpr MessageType kType = MessageType::kGatewayPartRecord;
  static constexpr std::size_t kDescriptors = 1;
  static constexpr void fields(auto&, auto&) {}
};

// The file is good and all its records have been sent.
struct Loaded {
  static constexpr MessageType kType = MessageType::kLoaded;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t records = 0;  // how many came before, so that a lost one is noticed
  static constexpr void fields(auto& m, auto& visit) { visit(m.records); }
};

// The file is refused.  The sentences ("FILE:LINE:COLUMN: ...", one a line, at most kMaxErrorTextBytes) are
// in a sealed memory file: root passes them on unread.
struct LoadError {
  static constexpr MessageType kType = MessageType::kLoadError;
  static constexpr std::size_t kDescriptors = 1;
  static constexpr void fields(auto&, auto&) {}
};

}  // namespace rowhouse::proto
