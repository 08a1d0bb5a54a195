// Reading, killing and removing through the files of one cgroup directory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse::supervisor {

// The members in cgroup.procs; empty when it cannot be read.
[[nodiscard]] std::vector<pid_t> read_pids(int directory);
// The number in a file that holds one; 0 when there is none.
[[nodiscard]] std::uint64_t read_number(int directory, const char* file);
// The number behind `key` in a file of "key number" lines; 0 when there is none.
[[nodiscard]] std::uint64_t read_keyed_number(int directory, const char* file, std::string_view key);
// cgroup v2: gives memory, pids and cpu to the children, as far as the group has them.
Status enable_controllers(int directory);
// Kills every process of the group and of those below it: by cgroup.kill, else frozen (v1 freezer), killed one by
// one and thawed.  One pass; callers repeat until the group can be removed.
Status kill_group(int directory);
// Removes the group `path` below `parent` and the groups below it.  kWouldBlock while a process is left; a group
// that does not exist is removed already.
Status remove_group(int parent, const std::string& path);
// Eight hexadecimal digits that stand for a name (FNV-1a).
[[nodiscard]] std::string name_hash(std::string_view name);

}  // namespace rowhouse::supervisor
