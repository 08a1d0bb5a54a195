#include "proto/control_messages.h"
#include "proto/live_messages.h"
#include "proto/reload_messages.h"

namespace rowhouse::proto {

std::string_view app_state_name(AppState state) {
  switch (state) {
    case AppState::kStopped: return "stopped";
    case AppState::kStarting: return "starting";
    case AppState::kRunning: return "running";
    case AppState::kDegraded: return "degraded";
    case AppState::kRestarting: return "restarting";
    case AppState::kIdle: return "idle";
    case AppState::kBackoff: return "backoff";
    case AppState::kFailed: return "failed";
    case AppState::kSuspended: return "suspended";
  }
  return "unknown";
}

std::string_view worker_state_name(WorkerState state) {
  switch (state) {
    case WorkerState::kSpawning: return "spawning";
    case WorkerState::kLoading: return "loading";
    case WorkerState::kReady: return "ready";
    case WorkerState::kDraining: return "draining";
    case WorkerState::kDying: return "dying";
  }
  return "unknown";
}

std::string_view config_key_name(ConfigKey key) {
  static constexpr std::string_view kNames[] = {
      "plan",    "memory",    "memory_high", "swap",        "cpu",         "cpu_weight",
      "pids",    "io_weight", "io",          "concurrency", "queue",       "workers",
      "threads", "listen",    "gateway",     "control",     "directories", "uids",
      "cgroup",  "isolation", "pythons",     "network",     "other", "rate",
      "connections", "bytes_out", "user", "home", "manifest", "domains", "suspended"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(last_value(ConfigKey{})) + 1);
  return kNames[static_cast<std::size_t>(key)];
}

std::string_view reload_effect_name(ReloadEffect effect) {
  switch (effect) {
    case ReloadEffect::kAppliedLive: return "applied_live";
    case ReloadEffect::kNeedsRestart: return "needs_restart";
    case ReloadEffect::kNeedsDaemonRestart: return "needs_daemon_restart";
    case ReloadEffect::kNotApplied: return "not_applied";
  }
  return "unknown";
}

std::string_view tenant_change_name(TenantChangeKind kind) {
  switch (kind) {
    case TenantChangeKind::kTenantAdded: return "tenant_added";
    case TenantChangeKind::kTenantRemoved: return "tenant_removed";
    case TenantChangeKind::kTenantChanged: return "tenant_changed";
    case TenantChangeKind::kTenantRefused: return "tenant_refused";
    case TenantChangeKind::kAppAdded: return "app_added";
    case TenantChangeKind::kAppRemoved: return "app_removed";
    case TenantChangeKind::kAppChanged: return "app_changed";
    case TenantChangeKind::kAppRestarts: return "app_restarts";
  }
  return "unknown";
}

}  // namespace rowhouse::proto
