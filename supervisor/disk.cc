#include "supervisor/disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <sstream>

#include "base/files.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::size_t kMaxProcBytes = 4 * 1024 * 1024;

bool lies_below(std::string_view path, std::string_view mount) {
  if (mount == "/") return true;
  return path.starts_with(mount) && (path.size() == mount.size() || path[mount.size()] == '/');
}

// A file of the disk in /sys, without its line end.
std::string read_sysfs(const std::string& disk, const char* name) {
  const auto content = read_file(AT_FDCWD, ("/sys/dev/block/" + disk + "/" + name).c_str(), kMaxProcBytes);
  if (!content.ok()) return "";
  return content.value().substr(0, content.value().find('\n'));
}

}  // namespace

std::string find_device(std::string_view mountinfo, std::string_view path) {
  std::istringstream lines{std::string(mountinfo)};
  std::string found;
  std::size_t longest = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, mount;
    words >> id >> parent >> device >> root >> mount;
    // The last of several mounts at one place is the one that is seen.
    if (!lies_below(path, mount) || mount.size() < longest) continue;
    longest = mount.size();
    found = device;
  }
  return found;
}

std::string find_disk(const std::string& path) {
  const auto mountinfo = read_file(AT_FDCWD, "/proc/self/mountinfo", kMaxProcBytes);
  if (!mountinfo.ok()) return "";
  const std::string device = find_device(mountinfo.value(), path);
  const std::string directory = "/sys/dev/block/" + device;
  if (device.empty() || ::access(directory.c_str(), F_OK) != 0) return "";
  if (::access((directory + "/partition").c_str(), F_OK) != 0) return device;
  return read_sysfs(device, "../dev");
}

bool scheduler_is_bfq(const std::string& disk) {
  return !disk.empty() && read_sysfs(disk, "queue/scheduler").find("[bfq]") != std::string::npos;
}

}  // namespace rowhouse::supervisor
