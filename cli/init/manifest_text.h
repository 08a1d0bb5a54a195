// The manifest that `rowhouse init` writes: what was found, and as comments what could be said besides.
#pragma once

#include <string>
#include <vector>

#include "cli/init/app_finder.h"

namespace rowhouse::cli {

// REQUIRES: at least one domain; `name` is an app's name.
[[nodiscard]] std::string manifest_text(const FoundApp& app, const std::string& name, const std::vector<std::string>& domains);

}  // namespace rowhouse::cli
