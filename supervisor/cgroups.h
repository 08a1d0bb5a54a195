// cgroups behind one interface for both worlds (cgroup-v2.rst, cgroup-v1/): unified v2, and v1 controllers
// with or without an empty v2 tree beside them, which then serves for killing (cgroup.kill).
//
// Layout below the parent: tenants/t-<tenant>/a-<app>/g<generation>/{steward,w<id>}, gateway, control,
// loader. Kernel files that hold a limit are written before a process enters.  A group's name is used again
// only after its directory could be removed, which the kernel allows only when it is empty.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/cgroup_limits.h"
#include "supervisor/cgroup_usage.h"

namespace rowhouse::supervisor {

class CgroupTree;

// One group in every hierarchy that we use.
class Cgroup {
 public:
  Cgroup() = default;

  [[nodiscard]] LimitOutcome set_limits(const CgroupLimits& limits) const;
  // v2: out of memory, the kernel ends the whole group and not one process of it.  For worker leaves.
  Status die_together() const;
  // For CLONE_INTO_CGROUP; -1 where there is no v2 tree.
  [[nodiscard]] int v2_directory() const;
  // cgroup.procs of each v1 hierarchy, opened for writing: for a child that joins by itself.
  Result<std::vector<UniqueFd>> open_v1_procs() const;
  // Moves a process that exists already.
  Status attach(pid_t pid) const;
  // True when `pid` is a member of this very group (in every hierarchy).
  [[nodiscard]] bool contains(pid_t pid) const;
  // False when it was removed, or a controller that limits it was taken away (confinement.cc).
  [[nodiscard]] bool stands() const;
  // Kills every process in this group and below it, also stopped and frozen ones; they are gone when remove()
  // succeeds.  kWouldBlock: call again soon.
  Status kill() const;
  [[nodiscard]] std::uint64_t memory_bytes() const;       // 0 when unknown
  [[nodiscard]] std::uint64_t peak_memory_bytes() const;  // 0 when unknown
  // What the kernel counts for this group and those below it, but for what it counts in leaves only.
  [[nodiscard]] proto::Usage usage() const;
  // Of this group alone, since it was made.
  [[nodiscard]] LeafCounters counters() const;
  [[nodiscard]] std::optional<std::uint64_t> memory_limit_hits() const;
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
  // `configured` is an absolute path below the hierarchies, or empty for auto; `run_directory` names the
  // group that auto makes.
  static Result<std::unique_ptr<CgroupTree>> open(const std::string& configured,
                                                  const std::string& run_directory);

  // kNotFound when the group is not there.
  Result<Cgroup> open_existing(const std::string& path) const;
  // Makes the group and those above it; an existing one is opened.
  Result<Cgroup> create(const std::string& path) const;
  // Like create, but kInvalid when the group exists: a generation's number is never used twice.
  Result<Cgroup> create_new(const std::string& path) const;
  // The paths of all generations' groups that are there in one of the hierarchies.
  [[nodiscard]] std::set<std::string> list_generations() const;
  // True when the group is there in one of the hierarchies.
  [[nodiscard]] bool exists(const std::string& path) const;
  // Kills and removes everything of ours below the parent; waits up to `patience_ms` until it is gone.
  Status clear(int patience_ms);
  // Makes the group that all of ours are below again, where somebody has removed it (confinement.cc).
  Status renew_parents();
  // Removes the parent itself where we made it.  REQUIRES: clear() succeeded.
  Status remove_parent();
  [[nodiscard]] std::uint32_t missing_walls() const { return missing_walls_; }
  [[nodiscard]] const std::string& description() const { return description_; }

 private:
  friend class Cgroup;
  using Version = CgroupVersion;
  struct Hierarchy {
    Version version = Version::kV1;
    std::string mount;
    Controllers has;
    std::string parent;  // path of our parent below the mount
    UniqueFd directory;  // of the parent
  };

  Status find_hierarchies();
  Status open_parents(const std::string& configured, const std::string& run_directory);
  Status open_parent(Hierarchy& hierarchy, const std::string& path) const;
  bool try_own_unified_group(Hierarchy& hierarchy);
  static Status keep_given_controllers(Hierarchy& hierarchy);
  Result<UniqueFd> create_below(const Hierarchy& hierarchy, const std::string& path) const;
  [[nodiscard]] static bool limits_swap(const Hierarchy& hierarchy);
  void thaw_above(const std::string& path) const;
  void note_missing_walls();

  std::vector<Hierarchy> hierarchies_;
  bool made_parent_ = true;  // false in a group that systemd gave us
  std::uint32_t missing_walls_ = 0;
  std::string description_;
};

}  // namespace rowhouse::supervisor
