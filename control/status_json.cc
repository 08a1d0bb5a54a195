#include "control/status_json.h"

#include <nlohmann/json.hpp>

#include "control/ending_text.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

ordered_json worker_json(const proto::WorkerInfo& worker) {
  return {{"worker", worker.worker},     {"generation", worker.generation},
          {"pid", worker.pid},           {"state", proto::worker_state_name(worker.state)},
          {"requests", worker.requests}, {"memory_bytes", worker.memory_bytes}};
}

ordered_json workers_json(const std::vector<proto::WorkerInfo>& workers) {
  ordered_json json = ordered_json::array();
  for (const proto::WorkerInfo& worker : workers) json.push_back(worker_json(worker));
  return json;
}

ordered_json last_exit_json(const proto::AppInfo& info, std::string_view last_words) {
  if (info.exit_cause == proto::Cause::kNone) return nullptr;
  return {{"code", proto::cause_name(info.exit_cause)},
          {"detail", ending_detail({info.exit_cause, info.exit_argument, info.exit_limits, {}}, last_words)},
          {"at", format_rfc3339(info.exit_at_ms)},
          {"message", cause_sentence(info.exit_cause)},
          {"generation", info.exit_generation},
          {"worker", info.exit_worker}};
}

// null: the kernel does not say.
ordered_json count_json(std::uint64_t value) {
  if (value == proto::kUnknownCount) return nullptr;
  return value;
}

// null: there is none.
ordered_json limit_json(std::uint64_t value) {
  if (value == 0) return nullptr;
  return value;
}

ordered_json usage_json(const proto::Usage& usage) {
  return {
      {"memory",
       {{"bytes", count_json(usage.memory_bytes)},
        {"peak_bytes", count_json(usage.memory_peak_bytes)},
        {"limit_bytes", limit_json(usage.memory_limit_bytes)},
        {"swap_bytes", count_json(usage.swap_bytes)},
        {"oom_kills", usage.oom_kills}}},
      {"pids",
       {{"count", count_json(usage.pids)},
        {"limit", limit_json(usage.pids_limit)},
        {"refused", usage.forks_refused}}},
      {"cpu",
       {{"used_us", count_json(usage.cpu_us)},
        {"limit_percent", limit_json(usage.cpu_percent)},
        {"throttled_periods", count_json(usage.throttled_periods)},
        {"throttled_us", count_json(usage.throttled_us)}}},
      {"io",
       {{"read_bytes", count_json(usage.io_read_bytes)}, {"write_bytes", count_json(usage.io_write_bytes)}}}};
}

ordered_json histogram_json(const proto::AppTraffic& traffic, std::size_t place) {
  ordered_json buckets = ordered_json::array();
  for (std::size_t i = 0; i < proto::kLatencyBuckets; ++i) buckets.push_back(traffic.count(place + i));
  return {{"buckets", std::move(buckets)}, {"sum_us", traffic.count(place + proto::kLatencyBuckets)}};
}

ordered_json traffic_json(const proto::AppTraffic& traffic) {
  ordered_json classes = ordered_json::array();
  for (std::size_t i = 0; i < proto::kClasses; ++i) classes.push_back(traffic.count(proto::kClassCounts + i));
  return {{"epoch", traffic.epoch},
          {"in_flight", traffic.in_flight},
          {"queued", traffic.queued},
          {"requests_by_class", std::move(classes)},
          {"bytes_in", traffic.count(proto::kBytesInCount)},
          {"bytes_out", traffic.count(proto::kBytesOutCount)},
          {"latency_bounds_us", proto::kLatencyBoundsUs},
          {"gateway", histogram_json(traffic, proto::kGatewayHistogram)},
          {"queue", histogram_json(traffic, proto::kQueueHistogram)},
          {"worker", histogram_json(traffic, proto::kAppHistogram)}};
}

}  // namespace

std::string app_json(const AppStatus& status, std::string_view last_words, const std::string* suspension) {
  const proto::AppInfo& info = status.info;
  ordered_json json{{"tenant", info.tenant.view()},
                    {"app", info.name.view()},
                    {"state", proto::app_state_name(info.state)},
                    {"generation", info.generation}};
  json["workers"] = workers_json(status.workers);
  json["templates"] = workers_json(status.templates);
  json["workers_min"] = info.workers_min;
  json["workers_max"] = info.workers_max;
  json["restarts"] = info.restarts;
  json["last_exit"] = last_exit_json(info, last_words);
  json["sandbox"] = {{"missing", missing_wall_names(info.missing_walls)}};
  json["retry_in_ms"] = info.retry_in_ms;
  json["suspended"] = suspension == nullptr ? ordered_json() : ordered_json{{"reason", *suspension}};
  json["usage"] = status.usage ? usage_json(*status.usage) : ordered_json();
  json["traffic"] = status.traffic ? traffic_json(*status.traffic) : ordered_json();
  return dump(json);
}

std::string tenant_json(const proto::TenantUsage& tenant) {
  return dump(
      {{"tenant", tenant.tenant.view()}, {"plan", tenant.plan.view()}, {"usage", usage_json(tenant.usage)}});
}

std::string status_json(const std::vector<std::string>& apps, const std::vector<std::string>& tenants,
                        const std::vector<Problem>& problems) {
  ordered_json errors = ordered_json::array();
  for (const Problem& problem : problems) {
    errors.push_back({{"tenant", problem.tenant}, {"message", problem.message}});
  }
  // The apps stay texts: on a large host they are too many for one tree of values.
  std::string json = "{\"apps\":[";
  for (std::size_t i = 0; i < apps.size(); ++i) json.append(i == 0 ? "" : ",").append(apps[i]);
  json += "],\"tenants\":[";
  for (std::size_t i = 0; i < tenants.size(); ++i) json.append(i == 0 ? "" : ",").append(tenants[i]);
  return json + "],\"errors\":" + dump(errors) + "}\n";
}

}  // namespace rowhouse::control
