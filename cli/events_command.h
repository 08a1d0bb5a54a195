// `rowhouse events`: what happened, and with -f what happens.
#pragma once

#include <string>
#include <string_view>

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_events(const Invocation& invocation);

// One event of the API as a line with its end.  Pure.
[[nodiscard]] std::string render_event(std::string_view json_event);

}  // namespace rowhouse::cli
