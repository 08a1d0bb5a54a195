// The limits of tenants and of their apps: from plan and manifest to cgroups, at a start and while they run.
//
// A plan's limits are on t-<tenant>, an app's own ones on a-<app> inside it.  A limit that the kernel refuses
// while tenants run (memory below what is used, cgroup v1) leaves the former one in force and is tried again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "supervisor/cgroups.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

// On t-<tenant>; `disk` is the one its home lies on.
[[nodiscard]] CgroupLimits limits_of(const Plan& plan, const std::string& disk);
// On a-<app>.  Its quota is never above the plan's: cgroup v1 refuses that (sched-bwc.rst, hierarchical
// considerations).
[[nodiscard]] CgroupLimits limits_of(const proto::AppRecord& app, const Plan& plan);
// The names of the groups below our parent.
[[nodiscard]] std::string tenant_group(const std::string& tenant);
[[nodiscard]] std::string app_group(const std::string& tenant, const std::string& app);

class TenantLimits {
 public:
  // REQUIRES: both outlive this object.
  TenantLimits(const CgroupTree& cgroups, const HostConfiguration& host) : cgroups_(cgroups), host_(host) {}

  // Before a start: makes the groups and sets their limits.  Fails when a hard one cannot be set at all.
  Status prepare(const TenantEntry& tenant, const proto::AppRecord& app);
  // While it runs: sets what the plan says now.  Nothing when the tenant has no group.
  std::optional<LimitOutcome> renew(const TenantEntry& tenant);
  // The same for one of its apps: first without a quota of its own, so that the plan's may go below it.
  void lift_quota(const TenantEntry& tenant, const proto::AppRecord& app) const;
  std::optional<LimitOutcome> renew(const TenantEntry& tenant, const proto::AppRecord& app) const;
  // The tenant has gone.
  void forget(const std::string& tenant) { missing_.erase(tenant), pending_.erase(tenant); }
  // True when the kernel has refused a limit of the tenant's plan that is to be tried again.
  [[nodiscard]] bool pending(const std::string& tenant) const { return pending_.contains(tenant); }
  // The walls that the plan asks for and this host cannot give.
  [[nodiscard]] std::uint32_t missing(const std::string& tenant) const;

 private:
  [[nodiscard]] const Plan& plan_of(const TenantEntry& tenant) const { return host_.plans.at(tenant.plan); }
  LimitOutcome set_plan(const TenantEntry& tenant, const Cgroup& group);

  const CgroupTree& cgroups_;
  const HostConfiguration& host_;
  std::map<std::string, std::uint32_t> missing_;  // by tenant
  std::map<std::string, Error> pending_;          // by tenant
};

}  // namespace rowhouse::supervisor
