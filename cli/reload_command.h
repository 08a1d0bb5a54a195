// rowhouse reload: the host's configuration, or one tenant's, is read again and comes into force for what runs.
#pragma once

#include "cli/invocation.h"

namespace rowhouse::cli {

[[nodiscard]] ExitCode run_reload(const Invocation& invocation);

}  // namespace rowhouse::cli
