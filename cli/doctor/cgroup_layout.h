// The cgroup hierarchies: which limits they can hold, and whether Rowhouse may make its groups there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cgroup_mounts.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/kernel_features.h"

namespace rowhouse::cli {

// How far a configured parent exists in one hierarchy.
enum class ParentState { kExists, kMadeAtStart, kNoWay };

struct HierarchyFacts {
  CgroupMount mount;
  bool writable = false;
  ParentState parent = ParentState::kMadeAtStart;
};

// From a group made for the question and removed again (root only).
struct GroupFacts {
  std::optional<bool> kill;             // v2: cgroup.kill
  std::optional<bool> oom_group;        // v2: memory.oom.group
  std::optional<bool> oom_group_event;  // v2: memory.events names oom_group_kill
  std::optional<bool> oom_counter;      // v1: memory.oom_control counts oom_kill
  std::optional<bool> swap_limit;       // memory.swap.max, or v1 memory.memsw.limit_in_bytes
};

struct CgroupFacts {
  bool root = false;              // whether the questions were asked as root
  std::string configured_parent;  // empty: auto
  std::vector<HierarchyFacts> hierarchies;
  GroupFacts group;
  bool swap_in_use = false;
};

// "v2", "v1", "hybrid" (v1 controllers with an empty v2 tree) or "none".
[[nodiscard]] std::string name_layout(const std::vector<HierarchyFacts>& hierarchies);

[[nodiscard]] CgroupFacts look_at_cgroups(const std::string& configured_parent);
[[nodiscard]] Findings judge_cgroups(const CgroupFacts& facts, Strictness strictness);

}  // namespace rowhouse::cli
