// rowhouse start, stop, restart, stacks: one call that waits for the outcome.
#pragma once

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_life(const Invocation& invocation);

}  // namespace rowhouse::cli
