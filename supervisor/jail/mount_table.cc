#include "supervisor/jail/mount_table.h"

#include <algorithm>

namespace rowhouse::jail {
namespace {

constexpr int kMountPointField = 4;  // counted from 0

std::string_view take_until(std::string_view& text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

// The kernel writes space, tab, newline and backslash as \040 and so on.
std::string decode(std::string_view field) {
  std::string path;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size()) {
      path += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      path += field[i];
    }
  }
  return path;
}

}  // namespace

std::vector<std::string> mounts_below(std::string_view mountinfo, std::string_view directory) {
  std::vector<std::string> found;
  const std::string prefix = std::string(directory) + "/";
  while (!mountinfo.empty()) {
    std::string_view line = take_until(mountinfo, '\n');
    for (int field = 0; field < kMountPointField; ++field) take_until(line, ' ');
    std::string path = decode(take_until(line, ' '));
    if (!path.starts_with(prefix)) continue;
    if (std::find(found.begin(), found.end(), path) == found.end()) found.push_back(std::move(path));
  }
  // A parent is shorter than its child, whatever order they were mounted in.
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return found;
}

}  // namespace rowhouse::jail
