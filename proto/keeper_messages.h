// Between the keeper and the supervisor.  The keeper is the parent of every process (CLONE_PARENT) and the
// only one that can reap; the supervisor names each child by a number of its own.
#pragma once

#include "proto/message.h"

namespace rowhouse::proto {

// What a descriptor or a child in the keeper's store is.  The key of an entry is all four numbers of its
// KeptRecord; what a kind does not use is 0.
enum class KeptKind : std::uint16_t {
  // --- of the host
  kNotebook = 0,         // the supervisor's notes (supervisor/notebook.h)
  kSharedTable = 1,      // proto/shared_table.h
  kRunDirectory = 2,     // directories.run, locked
  kHostRecords = 3,      // the host file in force
  kTenantRecords = 4,    // app: the tenant's uid
  kListener = 5,         // worker: which of `listen`
  kApiSocket = 6,
  // --- of an app; generation: the number of the reading of its manifest
  kAppRecords = 7,
  kWorkerPart = 8,
  kStaticDirectory = 9,  // worker: which of its static prefixes
  // --- of a gateway or the control process; generation: which start of it, worker: the gateway's index
  kGateway = 10,         // the supervisor's end of its control socket; as a child: the process
  kAccessRecords = 11,   // the receiving end of its access records
  kControl = 12,
  // --- of a sandbox, by app and generation, and of a worker
  kSteward = 13,
  kLog = 14,             // the read end of a log pipe; worker 0: the steward's
  kLifeline = 15,
  kWorkerProcess = 16,   // its pidfd
  // --- children only
  kLoader = 17,
  // --- of the host, again
  kLogDirectory = 18,
  kSpoolDirectory = 19,  // as in proto::SpoolDirectory
  kEmptyRoot = 20,       // the gateways' root directory
  kAcmeDirectory = 21,   // of gateway.acme_challenge
  // --- of an app, by reading
  kGatewayPart = 22,
};
inline constexpr KeptKind last_value(KeptKind) {
  return KeptKind::kGatewayPart;
}

struct KeptRecord {
  KeptKind kind = KeptKind::kNotebook;
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.kind, m.app, m.generation, m.worker); }
  auto operator<=>(const KeptRecord&) const = default;
};

// supervisor -> keeper, with the child's pidfd: reap it when it ends.  Between its clone and this message the
// child waits; it ends by itself when the message never comes.  In the answer to Fetch the keeper sends the
// same: a child that it has.
struct Child {
  static constexpr MessageType kType = MessageType::kChild;
  static constexpr std::size_t kDescriptors = 1;
  std::uint64_t child = 0;
  std::uint32_t pid = 0;
  KeptRecord record;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.child, m.pid);
    KeptRecord::fields(m.record, visit);
  }
};

// keeper -> supervisor: the child was reaped; si_code and si_status of waitid(2).  Said again to a new
// supervisor until one has answered ExitSeen.
struct ChildExited {
  static constexpr MessageType kType = MessageType::kChildExited;
  static constexpr std::size_t kDescriptors = 0;
  std::uint64_t child = 0;
  std::int32_t code = 0;    // CLD_EXITED, CLD_KILLED or CLD_DUMPED
  std::int32_t status = 0;  // exit status or signal number
  static constexpr void fields(auto& m, auto& visit) { visit(m.child, m.code, m.status); }
};

// keeper -> supervisor: stop everything and exit 0.
struct Shutdown {
  static constexpr MessageType kType = MessageType::kShutdown;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// keeper -> supervisor: SIGHUP came; read the host file again.
struct Reload {
  static constexpr MessageType kType = MessageType::kReload;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> keeper: listeners are open and every app has been looked at.
struct SupervisorReady {
  static constexpr MessageType kType = MessageType::kSupervisorReady;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> keeper: hold this descriptor for the supervisor that comes after you, in place of what had the
// same record.  keeper -> supervisor, in the answer to Fetch: this is what I hold.
struct Keep {
  static constexpr MessageType kType = MessageType::kKeep;
  static constexpr std::size_t kDescriptors = 1;
  KeptRecord record;
  static constexpr void fields(auto& m, auto& visit) { KeptRecord::fields(m.record, visit); }
};

// supervisor -> keeper: close what has this record.
struct Discard {
  static constexpr MessageType kType = MessageType::kDiscard;
  static constexpr std::size_t kDescriptors = 0;
  KeptRecord record;
  static constexpr void fields(auto& m, auto& visit) { KeptRecord::fields(m.record, visit); }
};

// supervisor -> keeper, once, first: what do you have?  Answered by Keeps, Children, ChildExiteds and Fetched.
struct Fetch {
  static constexpr MessageType kType = MessageType::kFetch;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// keeper -> supervisor: that was all.  `serving`: a supervisor before you was serving, take over.
struct Fetched {
  static constexpr MessageType kType = MessageType::kFetched;
  static constexpr std::size_t kDescriptors = 0;
  bool serving = false;
  std::uint32_t descriptors = 0;
  std::uint32_t children = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.serving, m.descriptors, m.children); }
};

// supervisor -> keeper: what ChildExited said has been dealt with; forget the child.
struct ExitSeen {
  static constexpr MessageType kType = MessageType::kExitSeen;
  static constexpr std::size_t kDescriptors = 0;
  std::uint64_t child = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.child); }
};

// supervisor -> keeper: everything that a supervisor before me had is mine now.
struct Adopted {
  static constexpr MessageType kType = MessageType::kAdopted;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> keeper: put the program that is on disk now in my place.
struct Upgrade {
  static constexpr MessageType kType = MessageType::kUpgrade;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

enum class UpgradeOutcome : std::uint8_t {
  kDone = 0,
  kCannotOpen = 1,   // the program on disk cannot be opened; nothing has changed
  kEnded = 2,        // it ended before it said Adopted; `argument` is its exit status or -signal
  kTooLate = 3,      // it did not say Adopted within kAdoptionSeconds
  kBusy = 4,         // the last one is still under way
  kGatewayFailed = 5,  // the supervisor is the new one; a new gateway did not come up, the old ones serve
};
inline constexpr UpgradeOutcome last_value(UpgradeOutcome) {
  return UpgradeOutcome::kGatewayFailed;
}

// keeper -> supervisor: how the Upgrade ended; after kEnded and kTooLate the former program runs again.
struct Upgraded {
  static constexpr MessageType kType = MessageType::kUpgraded;
  static constexpr std::size_t kDescriptors = 0;
  UpgradeOutcome outcome = UpgradeOutcome::kDone;
  std::int32_t argument = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.outcome, m.argument); }
};

}  // namespace rowhouse::proto
