#include "base/cgroup_mounts.h"

#include <fcntl.h>

#include <algorithm>
#include <sstream>

#include "base/files.h"

namespace rowhouse {
namespace {

constexpr std::size_t kMaxProcBytes = 4 * 1024 * 1024;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

}  // namespace

bool CgroupMount::has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  for (const std::string& line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> before = split(line.substr(0, dash), ' ');
    const std::vector<std::string> after = split(line.substr(dash + 3), ' ');
    // Only whole hierarchies: a bind mount of a part of one has another root.
    if (before.size() < 5 || after.size() < 3 || before[3] != "/") continue;
    if (after[0] != "cgroup" && after[0] != "cgroup2") continue;
    CgroupMount mount{before[4], after[0] == "cgroup2", {}};
    if (!mount.unified) mount.controllers = split(after[2], ',');
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<CgroupMount>> read_cgroup_mounts() {
  RH_ASSIGN(const std::string mountinfo, read_file(AT_FDCWD, "/proc/self/mountinfo", kMaxProcBytes));
  std::vector<CgroupMount> mounts = parse_cgroup_mounts(mountinfo);
  for (CgroupMount& mount : mounts) {
    if (!mount.unified) continue;
    RH_ASSIGN(std::string controllers,
              read_file(AT_FDCWD, (mount.path + "/cgroup.controllers").c_str(), kMaxProcBytes));
    if (controllers.ends_with('\n')) controllers.pop_back();
    mount.controllers = split(controllers, ' ');
  }
  return mounts;
}

std::string own_unified_path() {
  const auto content = read_file(AT_FDCWD, "/proc/self/cgroup", kMaxProcBytes);
  if (!content.ok()) return "";
  for (const std::string& line : split(content.value(), '\n')) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return "";
}

}  // namespace rowhouse
