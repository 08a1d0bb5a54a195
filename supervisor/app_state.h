// Which state an app is in: a pure function of what there is, so that no state can be forgotten or be left behind.
//
//   stopped  <--- stop ---  any                       any --- start ---> starting, or idle where min is 0
//   suspended  <--- it or its tenant is ---  any      suspended --- not any more ---> stopped, starting or idle
//
//            wanted            all ready                  idle long enough
//   idle -----------> starting ---------> running ------------------------------> idle   (min 0)
//                        |  ^                |  ^
//         start failed,   |  | its time      |  | workers are back, or a restart succeeded
//         all workers     v  |               v  |
//         dead           backoff          degraded   (a worker is missing, or the last restart failed)
//
//   running, degraded --- restart ---> restarting --- succeeded or failed ---> running, degraded
#pragma once

#include <cstdint>

#include "proto/control_messages.h"

namespace rowhouse::supervisor {

struct AppFacts {
  bool suspended = false;       // it or its tenant is
  bool stopped = false;         // by an operator
  bool serving = false;         // a generation was switched to and is there
  bool next = false;            // one is being started, or waits for the host's leave to start
  bool backing_off = false;     // the next try waits for its time
  bool restart_failed = false;  // since the serving generation was switched to
  std::uint32_t ready = 0;      // workers of the serving generation
  std::uint32_t min = 0;        // of the manifest
};

[[nodiscard]] proto::AppState app_state(const AppFacts& facts);

}  // namespace rowhouse::supervisor
