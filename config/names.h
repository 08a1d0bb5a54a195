// Names and versions.  Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/parsed.h"

namespace rowhouse::config {

// Of tenants, apps and plans: [a-z0-9][a-z0-9-]{0,62}.
[[nodiscard]] Parsed<std::string> parse_name(std::string_view text);
// A Python version: "3.11".
[[nodiscard]] Parsed<std::string> parse_python_version(std::string_view text);
// The name of an environment variable that a manifest may set: not LD_*, PYTHON*, ROWHOUSE_*.
[[nodiscard]] Parsed<std::string> parse_environment_name(std::string_view text);

}  // namespace rowhouse::config
