#include "proto/control_messages.h"

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

}  // namespace rowhouse::proto
