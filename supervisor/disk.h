// Which disk a home lies on, as the io controllers name disks.  Everything comes from /proc and /sys: the
// home itself is never touched, because its file system may be one that does not answer.
#pragma once

#include <string>
#include <string_view>

namespace rowhouse::supervisor {

// "254:0" of the mount that `path` lies on, in the text of a mountinfo file (proc_pid_mountinfo(5)); empty
// when there is none.  REQUIRES: `path` is absolute and has no symbolic links.
[[nodiscard]] std::string find_device(std::string_view mountinfo, std::string_view path);

// The whole disk below `path`: a partition's disk.  Empty when the file system is on no disk of its own.
[[nodiscard]] std::string find_disk(const std::string& path);

// The disk's scheduler is BFQ, which is what makes BFQ's weights count.
[[nodiscard]] bool scheduler_is_bfq(const std::string& disk);

}  // namespace rowhouse::supervisor
