// The gatherer of cgroup_layout.h.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "base/files.h"
#include "cli/doctor/cgroup_layout.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxFileBytes = 64 * 1024;

bool has_file(const std::string& directory, const char* name) {
  return ::access((directory + "/" + name).c_str(), F_OK) == 0;
}

bool has_word(const std::string& path, std::string_view word) {
  const auto content = read_file(AT_FDCWD, path.c_str(), kMaxFileBytes);
  return content.ok() && content.value().find(word) != std::string::npos;
}

// Every component but the last must exist: rowhoused makes only that one.
ParentState parent_state(const std::string& mount, const std::string& parent) {
  if (parent.empty()) return ParentState::kMadeAtStart;
  if (::access((mount + parent).c_str(), F_OK) == 0) return ParentState::kExists;
  const std::string above = mount + parent.substr(0, parent.rfind('/'));
  return ::access(above.c_str(), F_OK) == 0 ? ParentState::kMadeAtStart : ParentState::kNoWay;
}

// A group of our own for as long as it is looked at.
class TrialGroup {
 public:
  explicit TrialGroup(const std::string& mount)
      : path_(mount + "/rowhouse-doctor-" + std::to_string(::getpid())) {
    made_ = ::mkdir(path_.c_str(), 0755) == 0;
  }
  ~TrialGroup() {
    if (made_) ::rmdir(path_.c_str());
  }
  TrialGroup(const TrialGroup&) = delete;
  TrialGroup& operator=(const TrialGroup&) = delete;
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool made_ = false;
};

void look_into(const CgroupMount& mount, const std::string& path, GroupFacts& facts) {
  if (mount.unified) {
    facts.kill = has_file(path, "cgroup.kill");
    // Without memory in the parent's subtree_control the files are absent, which says nothing.
    if (!has_file(path, "memory.events")) return;
    facts.oom_group = has_file(path, "memory.oom.group");
    facts.oom_group_event = has_word(path + "/memory.events", "oom_group_kill");
    facts.swap_limit = has_file(path, "memory.swap.max");
  } else if (mount.has("memory")) {
    facts.oom_counter = has_word(path + "/memory.oom_control", "oom_kill ");
    facts.swap_limit = has_file(path, "memory.memsw.limit_in_bytes");
  }
}

bool is_swap_in_use() {
  const auto swaps = read_file(AT_FDCWD, "/proc/swaps", kMaxFileBytes);
  return swaps.ok() && std::count(swaps.value().begin(), swaps.value().end(), '\n') > 1;
}

}  // namespace

CgroupFacts look_at_cgroups(const std::string& configured_parent) {
  CgroupFacts facts;
  facts.root = ::geteuid() == 0;
  facts.configured_parent = configured_parent;
  facts.swap_in_use = is_swap_in_use();
  const auto mounts = read_cgroup_mounts();
  if (!mounts.ok()) return facts;
  for (const CgroupMount& mount : mounts.value()) {
    HierarchyFacts hierarchy{mount, false, parent_state(mount.path, configured_parent)};
    const bool wanted =
        mount.unified || mount.has("memory") || mount.has("pids") || mount.has("cpu") || mount.has("freezer");
    if (facts.root && wanted) {
      const TrialGroup trial(mount.path);
      hierarchy.writable = trial.made();
      if (trial.made()) look_into(mount, trial.path(), facts.group);
    }
    facts.hierarchies.push_back(std::move(hierarchy));
  }
  return facts;
}

}  // namespace rowhouse::cli
