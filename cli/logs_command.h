// rowhouse logs: an app's lines, safe for a terminal unless --raw asks for the bytes.
#pragma once

#include <string>
#include <string_view>

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_logs(const Invocation& invocation);

// One line of the API's newline-delimited JSON as it is printed, with its line end.  SECURITY: in the safe
// form nothing in it can drive a terminal (test_logs_command.cc).
[[nodiscard]] std::string render_log_line(std::string_view json_line, LogOptions::Form form);

}  // namespace rowhouse::cli
