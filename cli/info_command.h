// rowhouse info: the daemon's version and what it offers.
#pragma once

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_info(const Invocation& invocation);

}  // namespace rowhouse::cli
