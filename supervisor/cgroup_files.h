// Reading, killing and removing through the files of one cgroup directory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
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
// The same in a text that was read before.
[[nodiscard]] std::optional<std::uint64_t> find_keyed_number(const std::string& text, std::string_view key);
// The parent of a process, from /proc; 0 when it has gone.
[[nodiscard]] pid_t parent_of(pid_t pid);
// cgroup v2: the names in cgroup.controllers.
Result<std::vector<std::string>> read_controllers(int directory);
// cgroup v2: gives memory, pids and cpu to the children, as far as the group has them.
Status enable_controllers(int directory);
// Kills every process of the group and of those below it: at once by cgroup.kill, else as freeze_and_kill
// does. kWouldBlock: call again soon.
Status kill_group(int directory);
// Freezes the group (v1 freezer or cgroup.freeze), so that nothing in it can fork, kills one by one and
// thaws. Freezing takes a moment in which the caller must not wait: kWouldBlock, and the group stays as it is
// until the next call.  A group that cannot be frozen gets one pass of kills and kWouldBlock while anything
// is left in it.
Status freeze_and_kill(int directory);
// v1: what a frozen process does not notice before it is thawed, SIGKILL included.  Thaws the group and those
// below.
void thaw_group(int directory);
// Removes the group `path` below `parent` and the groups below it.  kWouldBlock while a process is left; a
// group that does not exist is removed already.
Status remove_group(int parent, const std::string& path);
// Eight hexadecimal digits that stand for a name (FNV-1a).
[[nodiscard]] std::string name_hash(std::string_view name);

}  // namespace rowhouse::supervisor
