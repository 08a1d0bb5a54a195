// What the kernel says about a process's identity, proc_pid_status(5).
#pragma once

#include <cstdint>
#include <string_view>

namespace rowhouse::jail {

// True when the text of /proc/PID/status shows these ids four times each, no group, and five empty capability
// sets. A line that is missing is as bad as one that is wrong.
[[nodiscard]] bool shows_bare_identity(std::string_view status, std::uint32_t uid, std::uint32_t gid);

}  // namespace rowhouse::jail
