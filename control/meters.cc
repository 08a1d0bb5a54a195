#include "control/meters.h"

#include <algorithm>
#include <numeric>

namespace rowhouse::control {
namespace {

std::uint32_t sum_of(const std::array<std::uint32_t, kWorkerStates>& workers) {
  return std::accumulate(workers.begin(), workers.end(), std::uint32_t{0});
}

std::string death_key(const proto::Death& death) {
  return std::to_string(death.app) + "." + std::to_string(death.generation) + "." + std::to_string(death.worker) +
         "." + std::to_string(death.at_ms);
}

bool has_grown(const Counts& grown) {
  return std::any_of(grown.begin(), grown.end(), [](std::uint64_t count) { return count != 0; });
}

// Told more or less of than before.
void change(std::uint32_t& sum, std::uint32_t before, std::uint32_t now) {
  sum = sum - std::min(sum, before) + now;
}

}  // namespace

Bill& Meters::bill_of(const std::string& tenant, std::int64_t now_ms) {
  const std::int64_t hour = now_ms / 1000 / kHourSeconds * kHourSeconds;
  return unwritten_.bills[{hour, tenant}];
}

void Meters::charge_app(const AppName& name, const Counts& grown, std::int64_t now_ms) {
  if (!has_grown(grown)) return;
  unwritten_.apps.insert(name);
  bill_app(grown, bill_of(name.tenant, now_ms));
}

void Meters::take_app(const AppStatus& status, std::int64_t now_ms) {
  const AppName name{status.info.tenant.str(), status.info.name.str()};
  AppMeter& app = apps_[name];
  Counts grown{};
  if (status.usage) app.meter.take_usage(*status.usage, grown);
  if (status.traffic) app.meter.take_traffic(*status.traffic, grown);
  const std::array<std::uint64_t, 1> restarts{status.info.restarts};
  app.meter.advance(Meter::Source::kNone, 0, kRestartCount, restarts, grown);
  charge_app(name, grown, now_ms);
  std::array<std::uint32_t, kWorkerStates> workers{};
  for (const proto::WorkerInfo& worker : status.workers) ++workers[static_cast<std::size_t>(worker.state)];
  const std::uint32_t in_flight = status.traffic ? status.traffic->in_flight : 0;
  TenantMeter& tenant = tenants_[name.tenant];
  tenant.round = round_;
  change(tenant.workers, sum_of(app.workers), sum_of(workers));
  change(tenant.in_flight, app.in_flight, in_flight);
  app.info = status.info;
  app.workers = workers;
  app.usage = status.usage.value_or(proto::Usage{});
  app.in_flight = in_flight;
  app.queued = status.traffic ? status.traffic->queued : 0;
  app.sampled = true;
  app.round = round_;
  if (tenant.workers == 0 && tenant.in_flight == 0) return;
  Bill& bill = bill_of(name.tenant, now_ms);
  bill.workers_peak = std::max<std::uint64_t>(bill.workers_peak, tenant.workers);
  bill.in_flight_peak = std::max<std::uint64_t>(bill.in_flight_peak, tenant.in_flight);
}

void Meters::take_tenant(const proto::TenantUsage& usage, std::int64_t now_ms) {
  const std::string name = usage.tenant.str();
  TenantMeter& tenant = tenants_[name];
  tenant.round = round_;
  Counts grown{};
  tenant.meter.take_usage(usage.usage, grown);
  const std::int64_t passed_ms =
      tenant.sampled_at_ms == 0 ? 0 : std::clamp<std::int64_t>(now_ms - tenant.sampled_at_ms, 0, kMaxGapMs);
  tenant.sampled_at_ms = now_ms;
  tenant.told = usage;
  const std::uint64_t memory = usage.usage.memory_bytes == proto::kUnknownCount ? 0 : usage.usage.memory_bytes;
  const std::uint64_t processes = usage.usage.pids == proto::kUnknownCount ? 0 : usage.usage.pids;
  if (!has_grown(grown) && memory == 0 && processes == 0) return;
  unwritten_.tenants.insert(name);
  Bill& bill = bill_of(name, now_ms);
  bill_tenant(grown, bill);
  bill.memory_byte_seconds += memory * static_cast<std::uint64_t>(passed_ms) / 1000;
  bill.memory_peak = std::max(bill.memory_peak, memory);
  bill.processes_peak = std::max(bill.processes_peak, processes);
}

void Meters::take_last_usage(const AppName& name, const proto::Usage& usage, std::int64_t now_ms) {
  const auto app = apps_.find(name);
  if (app == apps_.end()) return;
  Counts grown{};
  app->second.meter.take_usage(usage, grown);
  charge_app(name, grown, now_ms);
}

void Meters::take_last_traffic(const AppName& name, const proto::AppTraffic& traffic, std::int64_t now_ms) {
  Counts grown{};
  AppMeter& app = apps_[name];
  app.round = std::max(app.round, round_ - 1);
  app.meter.take_traffic(traffic, grown);
  charge_app(name, grown, now_ms);
}

bool Meters::remember_death(const std::string& key) {
  if (!known_deaths_.insert(key).second) return false;
  deaths_in_order_.push_back(key);
  if (deaths_in_order_.size() > kMaxDeaths) {
    known_deaths_.erase(deaths_in_order_.front());
    deaths_in_order_.pop_front();
  }
  return true;
}

void Meters::add_death(const AppName& name, const proto::Death& death) {
  const auto cause = static_cast<std::size_t>(death.cause);
  std::string key = death_key(death);
  if (cause >= kEndings || !remember_death(key)) return;
  unwritten_.deaths.push_back(std::move(key));
  Counts grown{};
  AppMeter& app = apps_[name];
  app.round = std::max(app.round, round_ - 1);
  app.meter.add(kEndingCounts + cause, grown);
  // On the bill of the hour in which it died: it may be told much later.
  charge_app(name, grown, death.at_ms);
}

void Meters::restore_app(const AppName& name, Meter meter) {
  AppMeter& app = apps_[name];
  app.meter = std::move(meter);
  app.round = round_;
}

void Meters::restore_tenant(const std::string& name, Meter meter) {
  TenantMeter& tenant = tenants_[name];
  tenant.meter = std::move(meter);
  tenant.round = round_;
}

void Meters::end_round(const Registry& registry) {
  for (auto& [name, app] : apps_) {
    if (app.sampled && app.round != round_) hide(name, app);
  }
  forget_apps();
  forget_tenants(registry);
  ++round_;
}

// The gauges say what is now.
void Meters::hide(const AppName& name, AppMeter& app) {
  TenantMeter& tenant = tenants_[name.tenant];
  change(tenant.workers, sum_of(app.workers), 0);
  change(tenant.in_flight, app.in_flight, 0);
  app.sampled = false;
  app.workers = {};
  app.in_flight = 0;
}

void Meters::forget_apps() {
  std::map<std::string, std::size_t> remembered;
  for (const auto& [name, app] : apps_) remembered[name.tenant] += app.sampled ? 0 : 1;
  for (auto app = apps_.begin(); app != apps_.end();) {
    const bool crowd = remembered[app->first.tenant] > kRememberedApps;
    if (app->second.sampled || (!crowd && app->second.round + kRememberedRounds > round_)) {
      ++app;
      continue;
    }
    unwritten_.apps.erase(app->first);
    unwritten_.gone_apps.push_back(app->first);
    app = apps_.erase(app);
  }
}

void Meters::forget_tenants(const Registry& registry) {
  for (auto tenant = tenants_.begin(); tenant != tenants_.end();) {
    if (registry.has_tenant(tenant->first)) tenant->second.round = round_;
    if (tenant->second.round != round_) tenant->second.told.reset();
    if (tenant->second.round + kRememberedRounds > round_) {
      ++tenant;
      continue;
    }
    unwritten_.tenants.erase(tenant->first);
    unwritten_.gone_tenants.push_back(tenant->first);
    tenant = tenants_.erase(tenant);
  }
}

}  // namespace rowhouse::control
