// The last lines of a log that may be spread over rotated files.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse::control {

// The most that is read for one answer: beyond it the older lines are left out.
inline constexpr std::size_t kMaxTailBytes = 1024 * 1024;

// The most that is searched for one answer: the newest lines.
inline constexpr std::size_t kMaxSearchBytes = 8 * 1024 * 1024;

// Of a line as it is stored.
using LineTest = std::function<bool(std::string_view)>;

// At most `lines` lines of NAME in the directory, and of NAME.1 ... before it, oldest first, without line
// ends. A file that does not exist ends the search.  Never follows a symbolic link.
[[nodiscard]] Result<std::vector<std::string>> read_last_lines(int directory_fd, const std::string& name,
                                                               std::size_t lines);
// The same of those lines that `wants` is true for, within kMaxSearchBytes.
[[nodiscard]] Result<std::vector<std::string>> search_last_lines(int directory_fd, const std::string& name,
                                                                 std::size_t lines, const LineTest& wants);

}  // namespace rowhouse::control
