#include "supervisor/app_state.h"

namespace rowhouse::supervisor {

using proto::AppState;

proto::AppState app_state(const AppFacts& facts) {
  if (facts.suspended) return AppState::kSuspended;
  if (facts.stopped) return AppState::kStopped;
  if (facts.serving && facts.next) return AppState::kRestarting;
  if (!facts.serving || facts.ready == 0) {
    if (facts.backing_off) return AppState::kBackoff;
    const bool sleeps = !facts.serving && !facts.next && facts.min == 0;
    return sleeps ? AppState::kIdle : AppState::kStarting;
  }
  return facts.restart_failed || facts.ready < facts.min ? AppState::kDegraded : AppState::kRunning;
}

}  // namespace rowhouse::supervisor
