#include "supervisor/config_changes.h"

#include <algorithm>

#include "supervisor/doors.h"

namespace rowhouse::supervisor {
namespace {

using proto::ConfigKey;
using proto::ReloadEffect;

template <proto::ControlMessage M>
bool same_bytes(const M& a, const M& b) {
  std::array<std::uint8_t, proto::wire_size<M>()> first, second;
  const ByteSpan x = proto::encode_message(a, first), y = proto::encode_message(b, second);
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

template <proto::ControlMessage M>
bool same_lists(const std::vector<M>& a, const std::vector<M>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_bytes<M>);
}

// Compares fields and equalizes them in a copy, so that what nobody named is found as well.
template <proto::ControlMessage Record>
class Comparison {
 public:
  Comparison(const Record& now, const Record& fresh, std::string plan, std::vector<ConfigChange>& changes)
      : now_(now), fresh_(fresh), plan_(std::move(plan)), changes_(changes) {}

  template <typename... Fields>
  void compare(ConfigKey key, ReloadEffect effect, Fields Record::*... fields) {
    if (((now_.*fields == fresh_.*fields) && ...)) return;
    ((now_.*fields = fresh_.*fields), ...);
    changes_.push_back({plan_, "", key, effect});
  }
  void compare_rest(ReloadEffect effect) {
    if (!same_bytes(now_, fresh_)) changes_.push_back({plan_, "", ConfigKey::kOther, effect});
  }

 private:
  Record now_;
  const Record& fresh_;
  std::string plan_;
  std::vector<ConfigChange>& changes_;
};

void compare_plan(const Plan& now, const Plan& fresh, std::vector<ConfigChange>& changes) {
  Comparison<Plan> plan(now, fresh, now.name.str(), changes);
  constexpr ReloadEffect kLive = ReloadEffect::kAppliedLive, kRestart = ReloadEffect::kNeedsRestart;
  plan.compare(ConfigKey::kMemory, kLive, &Plan::memory_bytes);
  plan.compare(ConfigKey::kMemoryHigh, kLive, &Plan::memory_high_bytes);
  plan.compare(ConfigKey::kCpu, kLive, &Plan::cpu_percent);
  plan.compare(ConfigKey::kCpuWeight, kLive, &Plan::cpu_weight);
  plan.compare(ConfigKey::kPids, kLive, &Plan::pids);
  plan.compare(ConfigKey::kIoWeight, kLive, &Plan::io_weight);
  plan.compare(ConfigKey::kIo, kLive, &Plan::io_read_bytes, &Plan::io_write_bytes);
  plan.compare(ConfigKey::kConcurrency, kLive, &Plan::concurrency);
  plan.compare(ConfigKey::kQueue, kLive, &Plan::queue);
  plan.compare(ConfigKey::kRate, kLive, &Plan::rate);
  plan.compare(ConfigKey::kConnections, kLive, &Plan::connections);
  plan.compare(ConfigKey::kBytesOut, kLive, &Plan::bytes_out);
  plan.compare(ConfigKey::kWorkers, kRestart, &Plan::workers);
  plan.compare(ConfigKey::kThreads, kRestart, &Plan::threads);
  plan.compare_rest(kRestart);
}

void compare_records(const HostConfiguration& now, const HostConfiguration& fresh,
                     std::vector<ConfigChange>& changes) {
  using Host = proto::HostRecord;
  constexpr ReloadEffect kDaemon = ReloadEffect::kNeedsDaemonRestart;
  Comparison<Host> host(now.host, fresh.host, "", changes);
  host.compare(ConfigKey::kGateway, kDaemon, &Host::gateway_processes, &Host::gateway_uid,
               &Host::gateway_gid);
  host.compare(ConfigKey::kControl, kDaemon, &Host::control_uid, &Host::control_gid, &Host::control_socket);
  host.compare(ConfigKey::kDirectories, kDaemon, &Host::tenants, &Host::state, &Host::run, &Host::logs);
  host.compare(ConfigKey::kUids, kDaemon, &Host::uid_min);
  host.compare(ConfigKey::kCgroup, kDaemon, &Host::cgroup_parent);
  host.compare(ConfigKey::kIsolation, kDaemon, &Host::strict);
  host.compare_rest(kDaemon);
  if (!same_bytes(now.gateway, fresh.gateway) || !same_lists(now.trusted_proxies, fresh.trusted_proxies)) {
    changes.push_back({"", "", ConfigKey::kGateway, kDaemon});
  }
  if (!same_doors(now.listen, fresh.listen)) changes.push_back({"", "", ConfigKey::kListen, ReloadEffect::kAppliedLive});
  if (now.pythons != fresh.pythons) changes.push_back({"", "", ConfigKey::kPythons, kDaemon});
  if (now.admins != fresh.admins &&
      !std::any_of(changes.begin(), changes.end(),
                   [](const ConfigChange& change) { return change.key == ConfigKey::kControl; })) {
    changes.push_back({"", "", ConfigKey::kControl, kDaemon});
  }
  if (now.network != fresh.network || now.plan_networks != fresh.plan_networks) {
    changes.push_back({"", "", ConfigKey::kNetwork, kDaemon});
  }
}

}  // namespace

std::vector<ConfigChange> compare_hosts(const HostConfiguration& now, const HostConfiguration& fresh) {
  std::vector<ConfigChange> changes;
  for (const auto& [name, plan] : fresh.plans) {
    const auto before = now.plans.find(name);
    if (before == now.plans.end()) {
      changes.push_back({name, "", ConfigKey::kPlan, ReloadEffect::kAppliedLive});
    } else {
      compare_plan(before->second, plan, changes);
    }
  }
  for (const auto& [name, plan] : now.plans) {
    if (!fresh.plans.contains(name))
      changes.push_back({name, "", ConfigKey::kPlan, ReloadEffect::kAppliedLive});
  }
  compare_records(now, fresh, changes);
  return changes;
}

std::vector<ConfigChange> compare_tenants(const TenantEntry& now, const TenantEntry& fresh,
                                          const HostConfiguration& host) {
  std::vector<ConfigChange> changes;
  const auto note = [&](bool same, ConfigKey key, ReloadEffect effect) {
    if (!same) changes.push_back({"", fresh.name, key, effect});
  };
  note(now.user == fresh.user, ConfigKey::kUser, ReloadEffect::kNeedsRestart);
  note(now.home == fresh.home, ConfigKey::kHome, ReloadEffect::kNeedsRestart);
  note(now.plan == fresh.plan, ConfigKey::kPlan, ReloadEffect::kAppliedLive);
  const auto before = host.plans.find(now.plan), after = host.plans.find(fresh.plan);
  if (now.plan != fresh.plan && before != host.plans.end() && after != host.plans.end()) {
    Plan renamed = after->second;
    renamed.name = before->second.name;
    std::vector<ConfigChange> limits;
    compare_plan(before->second, renamed, limits);
    for (const ConfigChange& change : limits) changes.push_back({fresh.plan, fresh.name, change.key, change.effect});
  }
  note(now.manifest == fresh.manifest, ConfigKey::kManifest, ReloadEffect::kAppliedLive);
  note(now.domains == fresh.domains, ConfigKey::kDomains, ReloadEffect::kAppliedLive);
  note(network_of(now, host) == network_of(fresh, host), ConfigKey::kNetwork, ReloadEffect::kAppliedLive);
  note(now.suspensions == fresh.suspensions, ConfigKey::kSuspended, ReloadEffect::kAppliedLive);
  return changes;
}

std::optional<Problem> check_plans_in_use(const HostConfiguration& fresh, const TenantIndex& tenants) {
  for (const auto& [name, tenant] : tenants.all()) {
    if (fresh.plans.contains(tenant.plan)) continue;
    return Problem{"plans: plan \"" + tenant.plan + "\" is missing, and tenant " + name +
                   " has it; give the tenant another plan and start rowhoused again, or keep the plan"};
  }
  return std::nullopt;
}

}  // namespace rowhouse::supervisor
