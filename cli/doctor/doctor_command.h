// rowhouse doctor: whether this host can run Rowhouse, and which walls it lacks.  Needs no rowhoused.
#pragma once

#include "cli/doctor/finding.h"
#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_doctor(const Invocation& invocation);

// kCannotRun with a failure, kFailed with a warning, else kDone.
[[nodiscard]] ExitCode verdict_of(const Findings& findings);
// {"verdict":"good"|"warnings"|"cannot-run","findings":[{"topic","level","found","advice"}]}
[[nodiscard]] std::string doctor_json(const Findings& findings);

}  // namespace rowhouse::cli
