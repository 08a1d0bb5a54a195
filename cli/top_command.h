// rowhouse top: what the apps do, live.
#pragma once

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_top(const Invocation& invocation);

}  // namespace rowhouse::cli
