// `rowhouse explain TENANT/APP` and `rowhouse explain ID`: the story behind an app's state or an error id.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cli/exit_code.h"
#include "cli/invocation.h"

namespace rowhouse::cli {

ExitCode run_explain(const Invocation& invocation);

// The API's answers in words.  Pure.
[[nodiscard]] std::string render_explanation(const nlohmann::json& story, std::int64_t now_ms);
[[nodiscard]] std::string render_error(const nlohmann::json& answer);

}  // namespace rowhouse::cli
