// Where the other programs are: beside this one (a build tree), or where they were installed.
#pragma once

#include <string>

namespace rowhouse::cli {

// Without a final slash; empty when rowhouse-loader is in neither place.
[[nodiscard]] std::string find_program_directory();

}  // namespace rowhouse::cli
