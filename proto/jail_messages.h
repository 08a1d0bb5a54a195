// Between the supervisor and rowhouse-jail, which becomes the steward of one sandbox.
#pragma once

#include "proto/loader_messages.h"
#include "proto/message.h"

namespace rowhouse::proto {

// What the jail was doing when it died.  The number is also its exit status minus kJailExitBase.
enum class JailStep : std::uint16_t {
  kNone = 0,
  kReceiveSetup = 1,
  kJoinCgroups = 2,
  kSession = 3,
  kDescriptors = 4,
  kRoot = 5,        // private propagation, new root, /usr, links, /etc
  kHome = 6,
  kTemporary = 7,   // /tmp, /var/tmp, /dev/shm
  kDevices = 8,
  kProc = 9,
  kPivot = 10,
  kNetwork = 11,
  kResourceLimits = 12,
  kCapabilities = 13,
  kIdentity = 14,
  kProof = 15,
  kNoNewPrivileges = 16,
  kLandlock = 17,
  kSeccomp = 18,
};
inline constexpr JailStep last_value(JailStep) { return JailStep::kSeccomp; }
inline constexpr int kJailExitBase = 100;

// Walls that the kernel could not give; bits of StewardReady::missing_walls and of the app's status.
enum class Wall : std::uint32_t {
  kLandlock = 1u << 0,
  kLandlockScopes = 1u << 1,     // abstract UNIX sockets and signals, ABI 6
  kPrivateNetwork = 1u << 2,     // network: host
  kMemoryLimit = 1u << 3,
  kPidsLimit = 1u << 4,
  kCpuLimit = 1u << 5,
  kCgroupKill = 1u << 6,
  kSwapLimit = 1u << 7,
  // Limits that the plan asks for and this host cannot set.
  kMemoryHigh = 1u << 8,
  kCpuWeight = 1u << 9,
  kIoWeight = 1u << 10,
  kIoLimit = 1u << 11,
  kIoBufferedWrites = 1u << 12,  // cgroup v1: what goes through the page cache is not held back
  kConnectPorts = 1u << 13,      // Landlock ABI 4: every TCP port may be connected to
};

// supervisor -> jail, with a detached mount (open_tree): place it read-only at `path`.  The first one is the
// worker program (path "/.rowhouse/worker"); others are Python prefixes and directories of allowed sockets at
// their own place.
struct JailMount {
  static constexpr MessageType kType = MessageType::kJailMount;
  static constexpr std::size_t kDescriptors = 1;
  Path path;
  static constexpr void fields(auto& m, auto& visit) { visit(m.path); }
};

// supervisor -> jail: a TCP port that may be connected to.  With none, all may be.
struct JailPort {
  static constexpr MessageType kType = MessageType::kJailPort;
  static constexpr std::size_t kDescriptors = 0;
  std::uint16_t port = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.port); }
};

// supervisor -> jail, at most kMaxTouchPaths: a file that the steward looks at, and says Touched when it is there
// and is another one than before.
struct JailWatch {
  static constexpr MessageType kType = MessageType::kJailWatch;
  static constexpr std::size_t kDescriptors = 0;
  Path path;  // absolute, below the home
  static constexpr void fields(auto& m, auto& visit) { visit(m.path); }
};

// supervisor -> jail, after the JailMounts, JailPorts and JailWatches: build the sandbox.
struct JailSetup {
  static constexpr MessageType kType = MessageType::kJailSetup;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t uid = 0, gid = 0;
  Name tenant;
  Name app;
  Name user;
  Path home;  // absolute; mounted at the same place
  NetworkMode network = NetworkMode::kHost;
  std::uint32_t open_files = 0;  // RLIMIT_NOFILE
  std::uint64_t tmp_bytes = 0;   // size= of each of /tmp, /var/tmp, /dev/shm
  std::uint32_t tmp_inodes = 0;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.uid, m.gid, m.tenant, m.app, m.user, m.home, m.network, m.open_files, m.tmp_bytes, m.tmp_inodes);
  }
};

// jail -> supervisor, then it exits with kJailExitBase + step.
struct JailFailed {
  static constexpr MessageType kType = MessageType::kJailFailed;
  static constexpr std::size_t kDescriptors = 0;
  JailStep step = JailStep::kNone;
  std::int32_t system_errno = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.step, m.system_errno); }
};

// jail -> supervisor: all walls stand, I am the steward now.
struct StewardReady {
  static constexpr MessageType kType = MessageType::kStewardReady;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t missing_walls = 0;  // set of Wall
  static constexpr void fields(auto& m, auto& visit) { visit(m.missing_walls); }
};

// supervisor -> steward: fork a worker.  Descriptors: the worker's lifeline end, the write end of its log
// pipe, its worker part.
struct Spawn {
  static constexpr MessageType kType = MessageType::kSpawn;
  static constexpr std::size_t kDescriptors = 3;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.worker); }
};

// As Spawn, for a template (preload): the program imports the app and forks workers.  A message of its own, so that a
// steward of a build that knew no templates still understands every Spawn.
struct SpawnTemplate {
  static constexpr MessageType kType = MessageType::kSpawnTemplate;
  static constexpr std::size_t kDescriptors = 3;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.worker); }
};

// supervisor -> steward, with a pidfd: this process, which a template has forked and the kernel has made a child of
// yours, is a worker; report its end.  Said before its GO.  Answered at once by SpawnFailed (ECHILD) when it is no
// child of the steward's, and not at all when the worker is known already.
struct Reap {
  static constexpr MessageType kType = MessageType::kReap;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.worker); }
};

// steward -> supervisor: fork or exec of the worker failed.
struct SpawnFailed {
  static constexpr MessageType kType = MessageType::kSpawnFailed;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t worker = 0;
  std::int32_t system_errno = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.worker, m.system_errno); }
};

// steward -> supervisor: the worker was reaped.
struct WorkerExited {
  static constexpr MessageType kType = MessageType::kWorkerExited;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t worker = 0;
  std::int32_t wait_status = 0;  // of waitpid(2)
  static constexpr void fields(auto& m, auto& visit) { visit(m.worker, m.wait_status); }
};

// steward -> supervisor: one of its JailWatch files was touched.  Said again after a Resync.
struct Touched {
  static constexpr MessageType kType = MessageType::kTouched;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// steward -> supervisor, in the answer to Resync: a worker that lives, or whose end comes next.
struct StewardWorker {
  static constexpr MessageType kType = MessageType::kStewardWorker;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.worker); }
};

}  // namespace rowhouse::proto
