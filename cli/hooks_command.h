// rowhouse hooks: where events are brought.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/exit_code.h"
#include "cli/invocation.h"
#include "cli/terminal.h"

namespace rowhouse::cli {

ExitCode run_hooks(const Invocation& invocation);

[[nodiscard]] std::string render_hooks(const nlohmann::json& answer, const Terminal& terminal);

}  // namespace rowhouse::cli
