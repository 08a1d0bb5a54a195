// What the loader may use, set by itself as its first act: a parser of hostile files that runs away ends.
#pragma once

#include <sys/resource.h>

#include "base/result.h"

namespace rowhouse::config {

inline constexpr rlim_t kMemoryLimitBytes = 512UL * 1024 * 1024;
inline constexpr rlim_t kCpuSeconds = 5;  // for each file: one slow file does not eat the time of the next
inline constexpr rlim_t kOpenFiles = 64;

// Memory, CPU time, core files, open files, no_new_privs.
Status confine_process();

// No other process of this uid may trace us or read our memory: host and tenant files are read by a loader
// that runs as nobody, a uid that it shares with strangers.
Status refuse_tracers();

// Gives the next file kCpuSeconds from now on.
Status renew_cpu_allowance();

}  // namespace rowhouse::config
