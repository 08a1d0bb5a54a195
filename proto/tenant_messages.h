// Between the supervisor and rowhouse-control: tenants and manifests that the API writes.  Control sends typed fields;
// the supervisor checks them, formats the file, has a loader read it back, and puts it in its place.  A manifest is
// bytes that root passes on unread to a loader that runs as the tenant.
#pragma once

#include "proto/control_messages.h"
#include "proto/live_messages.h"

namespace rowhouse::proto {

enum class TenantWriteMode : std::uint8_t {
  kReplace = 0,  // the tenant is as the draft says from now on, whether it existed or not
  kChange = 1,   // only what the draft has is changed, of a tenant in force
};
inline constexpr TenantWriteMode last_value(TenantWriteMode) { return TenantWriteMode::kChange; }

enum class SuspensionChange : std::uint8_t { kKeep = 0, kSuspend = 1, kLift = 2 };
inline constexpr SuspensionChange last_value(SuspensionChange) { return SuspensionChange::kLift; }

// Which field of a tenant a refusal is about.
enum class TenantKey : std::uint8_t {
  kNone = 0,
  kTenant,
  kUser,
  kUid,
  kGid,
  kHome,
  kPlan,
  kManifest,
  kDomains,
  kSuspended,
};
inline constexpr TenantKey last_value(TenantKey) { return TenantKey::kSuspended; }

// control -> supervisor: the beginning of a draft; the one before it that was not ended is forgotten.  An empty text
// or the id 0 says that the draft does not have it.
struct TenantDraft {
  static constexpr MessageType kType = MessageType::kTenantDraft;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  TenantWriteMode mode = TenantWriteMode::kReplace;
  bool trial = false;  // everything is checked and nothing is written
  Name user;           // instead of the next three
  std::uint32_t uid = 0, gid = 0;
  Path home;
  Name plan;
  Path manifest;
  bool has_domains = false;
  SuspensionChange suspension = SuspensionChange::kKeep;
  SuspensionReason reason;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.tenant, m.mode, m.trial, m.user, m.uid, m.gid, m.home, m.plan, m.manifest, m.has_domains,
          m.suspension, m.reason);
  }
};

// control -> supervisor: one of the draft's domains, in their order.
struct TenantDraftDomain {
  static constexpr MessageType kType = MessageType::kTenantDraftDomain;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Host host;
  bool wildcard = false;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.host, m.wildcard); }
};

// control -> supervisor: the draft is whole.  Answered by ReloadChanges, TenantChanges and one TenantWritten.
struct TenantWrite {
  static constexpr MessageType kType = MessageType::kTenantWrite;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  std::uint32_t domains = 0;  // how many came
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.domains); }
};

// control -> supervisor: the tenant shall be no more.  Answered when nothing of it runs.
struct TenantRemoval {
  static constexpr MessageType kType = MessageType::kTenantRemoval;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.tenant); }
};

// supervisor -> control, with the sentences of a refusal in a sealed memory file (empty otherwise).
struct TenantWritten {
  static constexpr MessageType kType = MessageType::kTenantWritten;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t request = 0;
  CommandOutcome outcome = CommandOutcome::kDone;
  bool created = false;             // there was no such tenant before
  TenantKey key = TenantKey::kNone;  // what the refusal is about
  std::uint32_t index = 0;           // of kDomains: which one
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.outcome, m.created, m.key, m.index); }
};

// control -> supervisor: the tenants after `after` in the order of their names, or `tenant` alone with its domains.
struct TenantQuery {
  static constexpr MessageType kType = MessageType::kTenantQuery;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;  // empty: many
  Name after;   // empty: from the first
  std::uint32_t limit = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.tenant, m.after, m.limit); }
};

struct TenantDetail {
  static constexpr MessageType kType = MessageType::kTenantDetail;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  Name user;
  std::uint32_t uid = 0, gid = 0;
  Path home;
  Name plan;
  Path manifest;
  std::uint32_t domains = 0;
  NetworkMode network = NetworkMode::kHost;  // in force
  bool suspended = false;
  SuspensionReason reason;
  bool leaving = false;  // its file has gone, and something of it still runs
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.tenant, m.user, m.uid, m.gid, m.home, m.plan, m.manifest, m.domains, m.network, m.suspended,
          m.reason, m.leaving);
  }
};

// supervisor -> control: a domain of the TenantDetail before it, where one tenant was asked for.
struct TenantDetailDomain {
  static constexpr MessageType kType = MessageType::kTenantDetailDomain;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Host host;
  bool wildcard = false;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.host, m.wildcard); }
};

struct TenantQueryEnd {
  static constexpr MessageType kType = MessageType::kTenantQueryEnd;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  bool more = false;  // there are tenants after the last one told
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.more); }
};

enum class ManifestUse : std::uint8_t {
  kTry = 0,    // everything is checked and nothing is written
  kWrite = 1,  // it takes the place of the tenant's manifest
};
inline constexpr ManifestUse last_value(ManifestUse) { return ManifestUse::kWrite; }

// control -> supervisor, with the text in a sealed memory file of at most kMaxConfigurationBytes.  Answered by
// TenantChanges and one ReloadDone.
struct ManifestOrder {
  static constexpr MessageType kType = MessageType::kManifestOrder;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t request = 0;
  Name tenant;
  ManifestUse use = ManifestUse::kTry;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.tenant, m.use); }
};

// supervisor -> loader that runs as the tenant: as LoadKeptManifest, with a text that the API brought.  With kWrite
// and a good text it becomes the file, durably, before Loaded.
struct PutManifest {
  static constexpr MessageType kType = MessageType::kPutManifest;
  static constexpr std::size_t kDescriptors = 1;
  Name tenant;
  Name user;
  Path home;
  Path manifest;
  Text<15> default_python;
  ManifestUse use = ManifestUse::kTry;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.tenant, m.user, m.home, m.manifest, m.default_python, m.use);
  }
};

}  // namespace rowhouse::proto
