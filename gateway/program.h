// The gateway's process from its start to its end.
#pragma once

namespace rowhouse::gateway {

// kNone is for the unit tests under a leak checker, which reads /proc at the end.
enum class Walls { kUp, kNone };

// The exit status of the process.
int run_program(Walls walls);

}  // namespace rowhouse::gateway
