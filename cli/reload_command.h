// rowhouse reload: the host file is read again, its plans come into force for running tenants.
#pragma once

#include "cli/invocation.h"

namespace rowhouse::cli {

[[nodiscard]] ExitCode run_reload(const Invocation& invocation);

}  // namespace rowhouse::cli
