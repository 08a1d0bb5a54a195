// rowhouse check: runs rowhouse-loader --check as the caller, without a daemon.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_check(const Invocation& invocation);

// {"valid":...,"errors":[{"file","line","column","message"}]} from the loader's lines, "FILE:LINE:COLUMN:
// sentence". A line of another form becomes an error with line and column null.
[[nodiscard]] std::string check_json(std::string_view loader_output, const std::vector<std::string>& files);

}  // namespace rowhouse::cli
