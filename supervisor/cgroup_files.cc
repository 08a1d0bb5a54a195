#include "supervisor/cgroup_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <sstream>

#include "base/files.h"
#include "base/listing.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::size_t kMaxFileBytes = 4 * 1024 * 1024;

std::vector<std::string> subdirectories(int directory) {
  std::vector<std::string> names;
  const Listing listing = open_listing(directory);
  if (listing == nullptr) return names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(name);
  }
  return names;
}

UniqueFd open_group(int parent, const std::string& path) {
  return UniqueFd(::openat(parent, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

bool has_file(int directory, const char* name) {
  return ::faccessat(directory, name, F_OK, 0) == 0;
}

bool has_members(int directory) {
  if (!read_pids(directory).empty()) return true;
  const std::vector<std::string> names = subdirectories(directory);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return has_members(open_group(directory, name).get()); });
}

// Every process of the group and of those below it stands still.
bool is_frozen(int directory) {
  if (has_file(directory, "cgroup.freeze"))
    return read_keyed_number(directory, "cgroup.events", "frozen") == 1;
  const auto state = read_file(directory, "freezer.state", kMaxFileBytes);
  return state.ok() && state.value().starts_with("FROZEN");
}

void kill_members(int directory) {
  for (const pid_t pid : read_pids(directory)) ::kill(pid, SIGKILL);
  for (const std::string& name : subdirectories(directory)) kill_members(open_group(directory, name).get());
}

}  // namespace

std::vector<pid_t> read_pids(int directory) {
  std::vector<pid_t> pids;
  const auto content = read_file(directory, "cgroup.procs", kMaxFileBytes);
  if (!content.ok()) return pids;
  std::istringstream lines(content.value());
  for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
  return pids;
}

std::uint64_t read_number(int directory, const char* file) {
  const auto content = read_file(directory, file, kMaxFileBytes);
  std::uint64_t number = 0;
  if (!content.ok()) return 0;
  const std::string& text = content.value();
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::uint64_t read_keyed_number(int directory, const char* file, std::string_view key) {
  const auto content = read_file(directory, file, kMaxFileBytes);
  return content.ok() ? find_keyed_number(content.value(), key).value_or(0) : 0;
}

std::optional<std::uint64_t> find_keyed_number(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  std::uint64_t number = 0;
  for (std::string name; lines >> name >> number;) {
    if (name == key) return number;
  }
  return std::nullopt;
}

pid_t parent_of(pid_t pid) {
  const auto content = read_file(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/stat").c_str(), kMaxFileBytes);
  if (!content.ok()) return 0;
  // "pid (name) state parent ...", where the name may hold anything.
  std::istringstream rest(content.value().substr(content.value().rfind(')') + 1));
  std::string state;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

Result<std::vector<std::string>> read_controllers(int directory) {
  RH_ASSIGN(const std::string content, read_file(directory, "cgroup.controllers", kMaxFileBytes));
  std::istringstream words(content);
  std::vector<std::string> names;
  for (std::string name; words >> name;) names.push_back(name);
  return names;
}

Status enable_controllers(int directory) {
  RH_ASSIGN(const std::string available, read_file(directory, "cgroup.controllers", kMaxFileBytes));
  RH_ASSIGN(const std::string enabled, read_file(directory, "cgroup.subtree_control", kMaxFileBytes));
  std::istringstream names(available);
  for (std::string name; names >> name;) {
    const bool wanted = name == "memory" || name == "pids" || name == "cpu" || name == "io";
    std::istringstream present(enabled);
    bool missing = true;
    for (std::string other; present >> other;) missing = missing && other != name;
    if (wanted && missing) RH_TRY(write_kernel_file(directory, "cgroup.subtree_control", "+" + name));
  }
  return {};
}

Status kill_group(int directory) {
  if (has_file(directory, "cgroup.kill")) return write_kernel_file(directory, "cgroup.kill", "1");
  return freeze_and_kill(directory);
}

Status freeze_and_kill(int directory) {
  const bool v2 = has_file(directory, "cgroup.freeze");
  if (!v2 && !has_file(directory, "freezer.state")) {
    kill_members(directory);
    return has_members(directory) ? make_error(ErrorCode::kWouldBlock, "kill cgroup") : Status();
  }
  RH_TRY(v2 ? write_kernel_file(directory, "cgroup.freeze", "1")
            : write_kernel_file(directory, "freezer.state", "FROZEN"));
  kill_members(directory);
  if (!is_frozen(directory) && has_members(directory))
    return make_error(ErrorCode::kWouldBlock, "freeze cgroup");
  // Nothing forks any more: whoever was born since the last list is in this one.
  kill_members(directory);
  if (v2) return write_kernel_file(directory, "cgroup.freeze", "0");
  thaw_group(directory);
  return {};
}

void thaw_group(int directory) {
  [[maybe_unused]] const Status thawed = write_kernel_file(directory, "freezer.state", "THAWED");
  for (const std::string& name : subdirectories(directory)) thaw_group(open_group(directory, name).get());
}

Status remove_group(int parent, const std::string& path) {
  const UniqueFd group = open_group(parent, path);
  if (!group.valid()) return errno == ENOENT ? Status() : Status(system_error("openat cgroup"));
  for (const std::string& name : subdirectories(group.get())) RH_TRY(remove_group(group.get(), name));
  if (::unlinkat(parent, path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  if (errno == EBUSY) return make_error(ErrorCode::kWouldBlock, "rmdir cgroup");
  return system_error("rmdir cgroup");
}

std::string name_hash(std::string_view name) {
  std::uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", hash);
  return digits;
}

}  // namespace rowhouse::supervisor
