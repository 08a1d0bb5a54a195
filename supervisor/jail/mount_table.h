// Reads the kernel's mount table, proc_pid_mountinfo(5).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rowhouse::jail {

// The mount points strictly below `directory`, parents before children, each once, their \NNN escapes
// decoded.
std::vector<std::string> mounts_below(std::string_view mountinfo, std::string_view directory);

}  // namespace rowhouse::jail
