// What control is told of usage: the kernel's counters and the gateways', when it asks, and for the last time before
// they go (request 0).
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {

void Supervisor::tell_app_usage(std::uint32_t request, const App& app) {
  if (const auto usage = app.usage()) control_->send(proto::AppUsage{request, app.number(), *usage});
  for (const App::Identity& identity : app.identities()) {
    proto::AppTraffic traffic;
    traffic.request = request;
    traffic.app = identity.number;
    if (app.sum_traffic(identity, traffic)) control_->send(traffic);
  }
}

void Supervisor::tell_usage(std::uint32_t request, const std::set<std::string>& tenants) {
  for (const std::string& name : tenants) {
    const auto group = cgroups_->open_existing(tenant_group(name));
    if (!group.ok()) continue;
    proto::TenantUsage told;
    told.request = request;
    told.tenant = proto::Name::cut(name);
    told.usage = group.value().usage();
    told.usage.epoch += rows_->made_at_ns();
    LeafCounters leaves = {0, group.value().counters().forks_refused};
    for (const auto& [number, app] : apps_) {
      if (app->tenant().name == name) leaves += app->leaf_counters();
    }
    told.usage.oom_kills = leaves.oom_kills;
    told.usage.forks_refused = leaves.forks_refused;
    const TenantEntry& tenant = configuration_.tenants().at(name);
    told.plan = proto::Name::cut(tenant.plan);
    const Plan& plan = configuration_.host().plans.at(tenant.plan);
    told.concurrency = plan.concurrency;
    told.rate = plan.rate;
    told.connections = plan.connections;
    told.workers = plan.workers;
    control_->send(told);
  }
}

// Before control is sent home: nobody requests anything any more, and nothing of a tenant runs.
void Supervisor::tell_last_usage() {
  std::set<std::string> tenants;
  for (const auto& [number, app] : apps_) {
    tell_app_usage(0, *app);
    tenants.insert(app->tenant().name);
  }
  tell_usage(0, tenants);
}

}  // namespace rowhouse::supervisor
