// Live configuration: what the loader tells about a manifest's file besides its content, and what control asks and
// is told about one tenant's configuration.
//
// SECURITY: what a loader of manifests sends are tenant bytes.  The identity is only ever compared with what the
// same tenant's loader said before; the inotify descriptor is waited for and closed, never read.
#pragma once

#include "proto/loader_messages.h"

namespace rowhouse::proto {

// What tells one state of a file from another (stat(2)).  All 0: nothing is known, there is no file,
// or it was changed so shortly ago that its times tell nothing.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  // since 1970-01-01T00:00:00Z
  auto operator<=>(const FileIdentity&) const = default;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.device, m.inode, m.bytes, m.modified_ns, m.changed_ns);
  }
};

// supervisor -> loader that runs as the tenant: as LoadManifest, but leave a ManifestWatch, say the file's identity,
// and answer Unchanged when it is `known`.
struct LookAtManifest {
  static constexpr MessageType kType = MessageType::kLookAtManifest;
  static constexpr std::size_t kDescriptors = 0;
  Name tenant;
  Name user;
  Path home;
  Path manifest;
  Text<15> default_python;
  FileIdentity known;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.tenant, m.user, m.home, m.manifest, m.default_python);
    FileIdentity::fields(m.known, visit);
  }
};

// loader -> supervisor, before the records of the answer to LookAtManifest and not counted in Loaded.
struct ManifestIdentity {
  static constexpr MessageType kType = MessageType::kManifestIdentity;
  static constexpr std::size_t kDescriptors = 0;
  FileIdentity identity;
  static constexpr void fields(auto& m, auto& visit) { FileIdentity::fields(m.identity, visit); }
};

// loader -> supervisor, likewise: an inotify descriptor that becomes readable when the manifest may have changed.
// Missing where the kernel refuses one.
struct ManifestWatch {
  static constexpr MessageType kType = MessageType::kManifestWatch;
  static constexpr std::size_t kDescriptors = 1;
  static constexpr void fields(auto&, auto&) {}
};

// loader -> supervisor, before the records of the answer to LoadTenant and LookAtManifest and not counted in Loaded: the very bytes that it parses, in a sealed memory file of at most kMaxConfigurationBytes.  Root
// keeps those of an accepted file unread, for a start that finds a broken one.
struct SourceText {
  static constexpr MessageType kType = MessageType::kSourceText;
  static constexpr std::size_t kDescriptors = 1;
  static constexpr void fields(auto&, auto&) {}
};

// supervisor -> loader that runs as the tenant: as LoadManifest, with the bytes of the last manifest that was accepted
// in the place of the file, which is broken now.
struct LoadKeptManifest {
  static constexpr MessageType kType = MessageType::kLoadKeptManifest;
  static constexpr std::size_t kDescriptors = 1;
  Name tenant;
  Name user;
  Path home;
  Path manifest;
  Text<15> default_python;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.tenant, m.user, m.home, m.manifest, m.default_python);
  }
};

// loader -> supervisor: the end of the answer to LookAtManifest; the file is the known one.
struct Unchanged {
  static constexpr MessageType kType = MessageType::kUnchanged;
  static constexpr std::size_t kDescriptors = 0;
  static constexpr void fields(auto&, auto&) {}
};

// control -> supervisor: read the tenant's manifest again, and for an administrator its file too.  Answered by
// TenantChanges and one ReloadDone.
struct ReloadTenantOrder {
  static constexpr MessageType kType = MessageType::kReloadTenantOrder;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  bool with_file = false;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.tenant, m.with_file); }
};

enum class TenantChangeKind : std::uint8_t {
  kTenantAdded = 0,
  kTenantRemoved = 1,
  kTenantChanged = 2,
  kTenantRefused = 3,  // what was in force stays in force
  kAppAdded = 4,
  kAppRemoved = 5,
  kAppChanged = 6,   // in force, no process was touched
  kAppRestarts = 7,  // a new generation is being started; it takes over when it is ready
};
inline constexpr TenantChangeKind last_value(TenantChangeKind) { return TenantChangeKind::kAppRestarts; }
[[nodiscard]] std::string_view tenant_change_name(TenantChangeKind kind);  // "tenant_added"

// supervisor -> control, at most kMaxReloadChanges: what a reload found and did.
struct TenantChange {
  static constexpr MessageType kType = MessageType::kTenantChange;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  Name app;  // empty: the tenant itself
  TenantChangeKind kind = TenantChangeKind::kTenantAdded;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.tenant, m.app, m.kind); }
};

}  // namespace rowhouse::proto
