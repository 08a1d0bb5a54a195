// From an open file to its tree, within the cap that every configuration file has.
#pragma once

#include <optional>
#include <string>

#include "config/diagnostics.h"
#include "config/yaml_tree.h"

namespace rowhouse::config {

// Reads at most proto::kMaxConfigurationBytes, whatever fstat says about the size (THREATS S03).  Nothing
// after a report.  The descriptor stays the caller's.
[[nodiscard]] std::optional<std::string> read_source(int fd, Diagnostics& diagnostics);
// The same, parsed.
[[nodiscard]] std::optional<Node> read_tree(int fd, Diagnostics& diagnostics);

}  // namespace rowhouse::config
