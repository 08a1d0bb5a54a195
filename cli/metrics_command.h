// rowhouse metrics: the daemon's metrics, unchanged.
#pragma once

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_metrics(const Invocation& invocation);

}  // namespace rowhouse::cli
