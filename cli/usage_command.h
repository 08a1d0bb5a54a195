// rowhouse usage: what each tenant used in a period, as a table, JSON or CSV.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/exit_code.h"
#include "cli/invocation.h"
#include "cli/terminal.h"

namespace rowhouse::cli {

ExitCode run_usage(const Invocation& invocation);

[[nodiscard]] std::string render_usage_report(const nlohmann::json& report, const Terminal& terminal);

}  // namespace rowhouse::cli
