// cgroups behind one interface for both worlds (cgroup-v2.rst, cgroup-v1/): unified v2, and v1 controllers with or
// without an empty v2 tree beside them, which then serves for killing (cgroup.kill).
//
// Layout below the parent: tenants/t-<tenant>/a-<app>/g<generation>/{steward,w<id>}, gateway, control, loader.
// Kernel files that hold a limit are written before a process enters.  A group's name is used again only after
// its directory could be removed, which the kernel allows only when it is empty.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;  // 0: none
  std::uint32_t pids = 0;          // 0: none
  std::uint32_t cpu_percent = 0;   // of one core; 0: none
};

class CgroupTree;

// One group in every hierarchy that we use.
class Cgroup {
 public:
  Cgroup() = default;

  Status set_limits(const CgroupLimits& limits) const;
  // For CLONE_INTO_CGROUP; -1 where there is no v2 tree.
  [[nodiscard]] int v2_directory() const;
  // cgroup.procs of each v1 hierarchy, opened for writing: for a child that joins by itself.
  Result<std::vector<UniqueFd>> open_v1_procs() const;
  // Moves a process that exists already.
  Status attach(pid_t pid) const;
  // True when `pid` is a member of this very group (in every hierarchy).
  [[nodiscard]] bool contains(pid_t pid) const;
  // Kills every process in this group and below it; they are gone when remove() succeeds.
  Status kill() const;
  [[nodiscard]] std::uint64_t memory_bytes() const;  // 0 when unknown
  [[nodiscard]] std::uint64_t oom_kills() const;     // since the group was made
  // Removes the group and the groups below it; kWouldBlock while a process is left.
  Status remove();
  [[nodiscard]] bool exists() const { return !path_.empty(); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  friend class CgroupTree;
  struct Member {
    std::size_t hierarchy = 0;
    UniqueFd directory;
  };
  const CgroupTree* tree_ = nullptr;
  std::string path_;  // below the parent
  std::vector<Member> members_;
};

class CgroupTree {
 public:
  // `configured` is an absolute path below the hierarchies, or empty for auto; `run_directory` names the group
  // that auto makes.
  static Result<std::unique_ptr<CgroupTree>> open(const std::string& configured,
                                                  const std::string& run_directory);

  // Makes the group and those above it; an existing one is opened.
  Result<Cgroup> create(const std::string& path) const;
  // Like create, but kInvalid when the group exists: a generation's number is never used twice.
  Result<Cgroup> create_new(const std::string& path) const;
  // Kills and removes everything of ours below the parent; waits up to `patience_ms` until it is gone.
  Status clear(int patience_ms);
  // Removes the parent itself where we made it.  REQUIRES: clear() succeeded.
  Status remove_parent();
  [[nodiscard]] std::uint32_t missing_walls() const { return missing_walls_; }
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  friend class Cgroup;
  enum class Version : std::uint8_t { kV1, kV2 };
  struct Hierarchy {
    Version version = Version::kV1;
    std::string mount;
    bool memory = false, pids = false, cpu = false, freezer = false;
    std::string parent;  // path of our parent below the mount
    UniqueFd directory;  // of the parent
  };

  Status find_hierarchies();
  Status open_parents(const std::string& configured, const std::string& run_directory);
  Status open_parent(Hierarchy& hierarchy, const std::string& path) const;
  bool try_own_unified_group(Hierarchy& hierarchy);
  Result<UniqueFd> create_below(const Hierarchy& hierarchy, const std::string& path) const;
  void note_missing_walls();

  std::vector<Hierarchy> hierarchies_;
  bool made_parent_ = true;  // false in a group that systemd gave us
  std::uint32_t missing_walls_ = 0;
  std::string description_;
};

}  // namespace rowhouse::supervisor
