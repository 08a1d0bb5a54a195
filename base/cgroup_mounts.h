// Which cgroup hierarchies this host has, from /proc/self/mountinfo (proc_pid_mountinfo(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace rowhouse {

struct CgroupMount {
  std::string path;
  bool unified = false;  // cgroup2
  std::vector<std::string> controllers;
  [[nodiscard]] bool has(std::string_view controller) const;
};

Result<std::vector<CgroupMount>> read_cgroup_mounts();
// The mounts in the text of a mountinfo file.  `controllers` of a cgroup2 mount are left empty.
[[nodiscard]] std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);
// Our own group in the unified hierarchy, "" when there is none.
[[nodiscard]] std::string own_unified_path();

}  // namespace rowhouse
