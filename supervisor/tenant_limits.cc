#include "supervisor/tenant_limits.h"

#include <algorithm>

#include "base/log.h"
#include "supervisor/disk.h"

namespace rowhouse::supervisor {
namespace {

// A start goes on with the former memory limit when more is used than the new one allows; every other refusal
// would leave it without a limit.
Status check_outcome(const LimitOutcome& outcome) {
  const auto may_wait = [&](proto::ConfigKey key) {
    return key == proto::ConfigKey::kMemory && outcome.first_refusal.error().system_errno == EBUSY;
  };
  if (std::all_of(outcome.refused.begin(), outcome.refused.end(), may_wait)) return {};
  return outcome.first_refusal;
}

}  // namespace

CgroupLimits limits_of(const Plan& plan, const std::string& disk) {
  CgroupLimits limits;
  limits.memory_bytes = plan.memory_bytes;
  limits.memory_high_bytes = plan.memory_high_bytes;
  limits.pids = plan.pids;
  limits.cpu_percent = plan.cpu_percent;
  limits.cpu_weight = plan.cpu_weight;
  limits.io_weight = plan.io_weight;
  limits.io_read_bytes = plan.io_read_bytes;
  limits.io_write_bytes = plan.io_write_bytes;
  limits.disk = disk;
  return limits;
}

CgroupLimits limits_of(const proto::AppRecord& app, const Plan& plan) {
  CgroupLimits limits;
  limits.memory_bytes = app.memory_bytes;
  limits.pids = app.pids;
  limits.cpu_percent = plan.cpu_percent == 0 ? app.cpu_percent : std::min(app.cpu_percent, plan.cpu_percent);
  return limits;
}

std::string tenant_group(const std::string& tenant) {
  return "tenants/t-" + tenant;
}
std::string app_group(const std::string& tenant, const std::string& app) {
  return tenant_group(tenant) + "/a-" + app;
}

Status TenantLimits::prepare(const TenantEntry& tenant, const proto::AppRecord& app) {
  RH_ASSIGN(const Cgroup outer, cgroups_.create(tenant_group(tenant.name)));
  RH_TRY(check_outcome(set_plan(tenant, outer)));
  RH_ASSIGN(const Cgroup inner, cgroups_.create(app_group(tenant.name, app.name.str())));
  return check_outcome(inner.set_limits(limits_of(app, plan_of(tenant))));
}

LimitOutcome TenantLimits::set_plan(const TenantEntry& tenant, const Cgroup& group) {
  LimitOutcome outcome = group.set_limits(limits_of(plan_of(tenant), find_disk(tenant.home)));
  missing_[tenant.name] = outcome.missing;
  if (outcome.refused.empty()) {
    pending_.erase(tenant.name);
  } else {
    pending_.insert_or_assign(tenant.name, outcome.first_refusal.error());
    log_warning("limits not applied", {{"tenant", tenant.name},
                                       {"first", proto::config_key_name(outcome.refused.front())},
                                       {"reason", outcome.first_refusal.error()}});
  }
  return outcome;
}

std::optional<LimitOutcome> TenantLimits::renew(const TenantEntry& tenant) {
  const auto group = cgroups_.open_existing(tenant_group(tenant.name));
  if (!group.ok()) return std::nullopt;
  return set_plan(tenant, group.value());
}

void TenantLimits::lift_quota(const TenantEntry& tenant, const proto::AppRecord& app) const {
  const auto group = cgroups_.open_existing(app_group(tenant.name, app.name.str()));
  if (!group.ok() || app.cpu_percent == 0) return;
  CgroupLimits limits = limits_of(app, plan_of(tenant));
  limits.cpu_percent = 0;
  [[maybe_unused]] const LimitOutcome lifted = group.value().set_limits(limits);
}

std::optional<LimitOutcome> TenantLimits::renew(const TenantEntry& tenant,
                                                const proto::AppRecord& app) const {
  const auto group = cgroups_.open_existing(app_group(tenant.name, app.name.str()));
  if (!group.ok()) return std::nullopt;
  return group.value().set_limits(limits_of(app, plan_of(tenant)));
}

std::uint32_t TenantLimits::missing(const std::string& tenant) const {
  const auto found = missing_.find(tenant);
  return found == missing_.end() ? 0 : found->second;
}

}  // namespace rowhouse::supervisor
