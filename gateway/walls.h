// The gateway's own walls: what is left to a stranger who has taken it over (docs/threat-model.md).
#pragma once

#include <cstdint>

#include "base/result.h"

namespace rowhouse::gateway {

// The directory at `empty_directory` becomes the root, so that no path leads anywhere; the descriptor is closed.
// Needs CAP_SYS_CHROOT and gives up every capability, in all sets but the bounding set.
// REQUIRES: one thread.
Status enter_empty_root(int empty_directory);

// From here on only the system calls of the table in walls.cc exist, for all threads and for good: nothing can be
// executed, no process made, no socket opened, connected or bound, and memory never becomes executable.
// Sets no_new_privs.  Does nothing in builds with sanitizers, whose runtime needs more.
Status allow_only_needed_calls();

}  // namespace rowhouse::gateway
