// How replies of the daemon end the command.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/api_client.h"
#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

// Writes to standard output and error.  Text that came from elsewhere must be made safe before.
void print(std::string_view text);
void print_error(std::string_view sentence);

[[nodiscard]] ExitCode exit_code_of(const Reply& reply);

// Prints why the call failed: a sentence on standard error and, where JSON is wanted, the daemon's answer.
// REQUIRES: the reply is not a 200.
ExitCode report_failure(const Reply& reply, Output output);

// Fields of the daemon's answer, safe for a terminal; "" and 0 for what is missing or of another type.
[[nodiscard]] std::string text_at(const nlohmann::json& object, const char* name);
[[nodiscard]] std::uint64_t number_at(const nlohmann::json& object, const char* name);

}  // namespace rowhouse::cli
