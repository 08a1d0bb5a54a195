#include "cli/doctor/cgroup_layout.h"

#include <algorithm>

namespace rowhouse::cli {
namespace {

bool is_unified_with_limits(const HierarchyFacts& hierarchy) {
  return hierarchy.mount.unified && hierarchy.mount.has("memory") && hierarchy.mount.has("pids");
}

// Those that rowhoused uses: the unified one when it has the controllers, else all.
std::vector<HierarchyFacts> used_hierarchies(const std::vector<HierarchyFacts>& all) {
  const auto unified = std::find_if(all.begin(), all.end(), is_unified_with_limits);
  if (unified != all.end()) return {*unified};
  std::vector<HierarchyFacts> used;
  for (const HierarchyFacts& hierarchy : all) {
    bool useful = hierarchy.mount.unified;
    for (const char* name : {"memory", "pids", "cpu", "freezer"})
      useful = useful || hierarchy.mount.has(name);
    if (useful) used.push_back(hierarchy);
  }
  return used;
}

void judge_controllers(const std::vector<HierarchyFacts>& used, Level missing_wall, Findings& findings) {
  for (const char* name : {"memory", "pids", "cpu"}) {
    const bool present =
        std::any_of(used.begin(), used.end(), [&](const auto& each) { return each.mount.has(name); });
    if (present) {
      findings.push_back(ok("cgroups", std::string(name) + " controller: present"));
    } else {
      findings.push_back({"cgroups", missing_wall,
                          std::string(name) + " controller: missing, so its limits hold nobody",
                          std::string("boot without cgroup_disable=") + name +
                              " and, in a container or unit, have the controller delegated"});
    }
  }
}

void judge_places(const CgroupFacts& facts, const std::vector<HierarchyFacts>& used, Findings& findings) {
  for (const HierarchyFacts& hierarchy : used) {
    if (facts.root && !hierarchy.writable) {
      findings.push_back(failure("cgroups",
                                 hierarchy.mount.path + " cannot be written to, so no group can be made",
                                 "mount it read-write; a container needs its cgroups delegated"));
    }
    if (hierarchy.parent != ParentState::kNoWay) continue;
    findings.push_back(failure("cgroups",
                               "cgroup.parent " + facts.configured_parent +
                                   ": the group above it does not exist in " + hierarchy.mount.path,
                               "make that group, name another one, or use cgroup: { parent: auto }"));
  }
}

void judge_group(const GroupFacts& group, const CgroupFacts& facts, Level missing_wall, Findings& findings) {
  const auto tell = [&](const std::optional<bool>& fact, const std::string& name, Level level,
                        const std::string& without, const std::string& advice) {
    if (!fact) return;
    if (*fact) return findings.push_back(ok("cgroups", name + ": present"));
    findings.push_back({"cgroups", level, name + ": missing; " + without, level == Level::kOk ? "" : advice});
  };
  tell(group.kill, "cgroup.kill (5.14)", missing_wall, "groups are frozen and killed one by one",
       "boot a kernel of 5.14 or newer");
  tell(group.oom_group, "memory.oom.group (4.19)", Level::kWarning, "a worker may be killed in parts",
       "boot a newer kernel");
  tell(group.oom_group_event, "memory.events oom_group_kill (5.17)", Level::kOk, "oom_kill is read instead",
       "");
  tell(group.oom_counter, "memory.oom_control oom_kill (4.13)", Level::kWarning,
       "a kill for want of memory cannot be told from another one", "boot a newer kernel");
  if (!facts.swap_in_use) return findings.push_back(ok("swap", "none in use"));
  tell(group.swap_limit, "limit of swap", missing_wall,
       "tenants can push each other's memory out to the disk", "boot with swapaccount=1, or switch swap off");
}

}  // namespace

std::string name_layout(const std::vector<HierarchyFacts>& hierarchies) {
  const auto any = [&](auto predicate) {
    return std::any_of(hierarchies.begin(), hierarchies.end(), predicate);
  };
  if (any(is_unified_with_limits)) return "v2";
  const bool v1 = any([](const auto& each) { return !each.mount.unified; });
  const bool tree = any([](const auto& each) { return each.mount.unified; });
  if (v1) return tree ? "hybrid" : "v1";
  return tree ? "v2 without controllers" : "none";
}

Findings judge_cgroups(const CgroupFacts& facts, Strictness strictness) {
  const Level missing_wall = strictness == Strictness::kStrict ? Level::kFailure : Level::kWarning;
  const std::vector<HierarchyFacts> used = used_hierarchies(facts.hierarchies);
  if (used.empty()) {
    return {failure("cgroups", "no cgroup hierarchy is mounted, so there are no limits and no sure kill",
                    "mount -t cgroup2 none /sys/fs/cgroup, or start the container with its cgroups")};
  }
  Findings findings = {ok("cgroups", "layout " + name_layout(facts.hierarchies))};
  judge_controllers(used, missing_wall, findings);
  judge_places(facts, used, findings);
  judge_group(facts.group, facts, missing_wall, findings);
  if (!facts.root) {
    findings.push_back(
        warning("cgroups", "whether groups can be made is not known", "run rowhouse doctor as root"));
  }
  return findings;
}

}  // namespace rowhouse::cli
