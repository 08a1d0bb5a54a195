// Files of lines that only grow, until they are written anew from what is to be kept: stories, errors, events.  A
// crash in the middle of a line costs that line alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse::control {

enum class Durability {
  kLater,  // survives the end of the program, not of the machine
  kNow,    // survives both when the call returns
};

// Appends whole lines to the file `name` of the directory, which is made if it is missing; the size of the file after
// it.  On an error nothing of them is there.
[[nodiscard]] Result<std::uint64_t> append_lines(int directory_fd, const std::string& name, std::string_view lines,
                                                 Durability durability);

// The whole lines in the last `cap_bytes` of the file, oldest first, without line ends.  None when there is no file.
[[nodiscard]] Result<std::vector<std::string>> read_lines(int directory_fd, const std::string& name,
                                                          std::size_t cap_bytes);

// Puts these lines in the place of what the file had: the old or the new ones after a crash.
[[nodiscard]] Status replace_lines(int directory_fd, const std::string& name, const std::vector<std::string>& lines);

}  // namespace rowhouse::control
