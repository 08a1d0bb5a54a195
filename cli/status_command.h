// rowhouse status: the table of apps, or one app in full.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/exit_code.h"
#include "cli/invocation.h"
#include "cli/terminal.h"

namespace rowhouse::cli {

ExitCode run_status(const Invocation& invocation);

// The answer of the status call as text.  `now_ms` is the wall clock.
[[nodiscard]] std::string render_status(const nlohmann::json& status, const Subject& subject,
                                        const Terminal& terminal, std::int64_t now_ms);

}  // namespace rowhouse::cli
