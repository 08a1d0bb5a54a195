// rowhouse init: writes a manifest for the app that it finds; needs a daemon only to learn the caller's domains.
#pragma once

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_init(const Invocation& invocation);

}  // namespace rowhouse::cli
