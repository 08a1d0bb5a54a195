// Between the supervisor and rowhouse-control: reading the host file again.  The supervisor answers a
// ReloadOrder with ReloadChanges and one ReloadDone.  A file that is refused changes nothing.
#pragma once

#include <string_view>

#include "proto/control_messages.h"

namespace rowhouse::proto {

// What a reload found changed: a key of a plan, or a part of the host file.
enum class ConfigKey : std::uint8_t {
  kPlan = 0,  // the plan itself is new or has gone
  kMemory,
  kMemoryHigh,
  kSwap,  // follows memory
  kCpu,
  kCpuWeight,
  kPids,
  kIoWeight,
  kIo,
  kConcurrency,
  kQueue,
  kWorkers,
  kThreads,
  kListen,
  kGateway,
  kControl,
  kDirectories,
  kUids,
  kCgroup,
  kIsolation,
  kPythons,
  kNetwork,
  kOther,
  kRate,
  kConnections,
  kBytesOut,
  kUser,
  kHome,
  kManifest,
  kDomains,
  kSuspended,
};
inline constexpr ConfigKey last_value(ConfigKey) {
  return ConfigKey::kSuspended;
}
[[nodiscard]] std::string_view config_key_name(ConfigKey key);  // "memory_high"

enum class ReloadEffect : std::uint8_t {
  kAppliedLive = 0,         // in force for all tenants of the plan
  kNeedsRestart = 1,        // at the next start or restart of each app
  kNeedsDaemonRestart = 2,  // when rowhoused is started again
  kNotApplied = 3,  // the kernel refused it for this tenant; the former value is in force, tried again at
                    // the next start
};
inline constexpr ReloadEffect last_value(ReloadEffect) {
  return ReloadEffect::kNotApplied;
}
[[nodiscard]] std::string_view reload_effect_name(ReloadEffect effect);  // "applied_live"

// control -> supervisor.
struct ReloadOrder {
  static constexpr MessageType kType = MessageType::kReloadOrder;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request); }
};

// supervisor -> control, at most kMaxReloadChanges.  `plan` is empty for a part of the host file, `tenant`
// but for kNotApplied.
struct ReloadChange {
  static constexpr MessageType kType = MessageType::kReloadChange;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name plan;
  Name tenant;
  ConfigKey key = ConfigKey::kPlan;
  ReloadEffect effect = ReloadEffect::kAppliedLive;
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.plan, m.tenant, m.key, m.effect); }
};

// supervisor -> control, with the sentences of a refused file in a sealed memory file (empty otherwise).
struct ReloadDone {
  static constexpr MessageType kType = MessageType::kReloadDone;
  static constexpr std::size_t kDescriptors = 1;
  std::uint32_t request = 0;
  CommandOutcome outcome = CommandOutcome::kDone;  // kDone, kFailed or kBusy
  std::uint32_t changes = 0;                       // how many there are; at most kMaxReloadChanges were sent
  static constexpr void fields(auto& m, auto& visit) { visit(m.request, m.outcome, m.changes); }
};

}  // namespace rowhouse::proto
