#include "proto/python_table.h"

#include <algorithm>

namespace rowhouse::proto {
namespace {

std::string_view next_word(std::string_view& line) {
  const std::size_t end = line.find(' ');
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return word;
}

}  // namespace

Result<std::vector<PythonRow>> parse_python_table(std::string_view table) {
  std::vector<PythonRow> rows;
  while (!table.empty()) {
    std::string_view line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(table.size(), line.size() + 1));
    if (line.empty()) continue;
    PythonRow row;
    row.version = next_word(line);
    row.program = next_word(line);
    row.prefix = line;
    const bool valid = !row.version.empty() && !row.program.empty() &&
                       row.program.find('/') == std::string::npos && row.prefix.starts_with('/');
    if (!valid) return make_error(ErrorCode::kInvalid, kPythonTableFile);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace rowhouse::proto
