// tenant, apply, op and audit: what the API writes, and how it is followed.
#pragma once

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_tenant(const Invocation& invocation);
// Makes a file the tenant's manifest.
ExitCode run_apply(const Invocation& invocation);
ExitCode run_op(const Invocation& invocation);
// Who ordered what.
ExitCode run_audit(const Invocation& invocation);

}  // namespace rowhouse::cli
