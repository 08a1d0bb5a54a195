// An app and its limits: what the kernel has counted for it, and what they had to do with a death.
#include <algorithm>
#include <utility>

#include "supervisor/app.h"

namespace rowhouse::supervisor {
namespace {

// The kernel takes memory for a group in batches of 64 pages, so its peak may end a little below the limit.
constexpr std::uint64_t kChargeBatchBytes = 1024 * 1024;

}  // namespace

LeafCounters App::leaf_counters() const {
  LeafCounters sum = removed_;
  for (const Sandbox* sandbox : sandboxes()) sum += sandbox->counters();
  return sum;
}

std::optional<proto::Usage> App::usage() const {
  const auto group = around_.cgroups->open_existing(app_group(tenant_.name, name_));
  if (!group.ok()) return std::nullopt;
  proto::Usage usage = group.value().usage();
  const LeafCounters leaves = leaf_counters();
  usage.oom_kills = leaves.oom_kills;
  // Since Linux 6.11 cgroup v2 counts where the limit is, before and on v1 where the fork was refused.
  usage.forks_refused = leaves.forks_refused + group.value().counters().forks_refused;
  usage.epoch += around_.rows->made_at_ns();
  return usage;
}

void App::lift_quota() const {
  around_.limits->lift_quota(tenant_, spec_.settings);
}

std::optional<LimitOutcome> App::renew_limits() {
  return around_.limits->renew(tenant_, newest_spec().settings);
}

void App::renew_gateways() {
  configure_all();
}

// An app's own limit ended a worker when its counter has grown since the last look; where the kernel has no
// such counter, when the app has ever had as much as its limit.
bool App::reached_own_limit(const Cgroup& group) {
  const proto::Usage usage = group.usage();
  if (usage.memory_limit_bytes == 0) return false;
  const auto hits = group.memory_limit_hits();
  if (hits) return *hits > std::exchange(seen_limit_hits_, *hits);
  return usage.memory_peak_bytes + kChargeBatchBytes >= usage.memory_limit_bytes;
}

// The pids limit, of the app or the tenant, below which there is no room for one more process; 0: there is.
std::uint32_t App::full_pids_limit() const {
  for (const std::string& path : {app_group(tenant_.name, name_), tenant_group(tenant_.name)}) {
    const auto group = around_.cgroups->open_existing(path);
    if (!group.ok()) continue;
    const proto::Usage usage = group.value().usage();
    const bool known = usage.pids != proto::kUnknownCount && usage.pids_limit != 0;
    if (known && usage.pids >= usage.pids_limit) return usage.pids_limit;
  }
  return 0;
}

void App::add_limit_facts(proto::Ending& ending) {
  const Plan& plan = around_.host->plans.at(tenant_.plan);
  const proto::AppRecord& settings = newest_spec().settings;
  if (ending.limits.forks_refused > 0) {
    ending.limits.pids_limit = settings.pids == 0 ? plan.pids : std::min(settings.pids, plan.pids);
  }
  if (ending.cause == proto::Cause::kSpawn && ending.argument == 0) ending.limits.pids_limit = full_pids_limit();
  if (ending.cause != proto::Cause::kOom) return;
  const auto group = around_.cgroups->open_existing(app_group(tenant_.name, name_));
  const auto tenant = around_.cgroups->open_existing(tenant_group(tenant_.name));
  if (!group.ok() || !tenant.ok()) return;
  const bool own = reached_own_limit(group.value());
  ending.limits.memory_owner = own ? proto::LimitOwner::kApp : proto::LimitOwner::kPlan;
  ending.limits.memory_limit_bytes = (own ? group : tenant).value().usage().memory_limit_bytes;
}

}  // namespace rowhouse::supervisor
