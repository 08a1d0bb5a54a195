// rowhouse upgrade: the programs on disk take the place of those that run.
#pragma once

#include "cli/invocation.h"

namespace rowhouse::cli {

[[nodiscard]] ExitCode run_upgrade(const Invocation& invocation);

}  // namespace rowhouse::cli
