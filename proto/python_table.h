// pythons.table, which the build writes beside the programs: one line for each worker program,
// "3.11 rowhouse-worker-python3.11 /usr".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse::proto {

inline constexpr const char* kPythonTableFile = "pythons.table";
inline constexpr std::size_t kMaxPythonTableBytes = 16 * 1024;

struct PythonRow {
  std::string version;
  std::string program;  // a file name beside the table
  std::string prefix;   // absolute
};
[[nodiscard]] Result<std::vector<PythonRow>> parse_python_table(std::string_view table);

}  // namespace rowhouse::proto
