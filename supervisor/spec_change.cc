#include "supervisor/spec_change.h"

#include <algorithm>
#include <array>

#include "base/files.h"

namespace rowhouse::supervisor {
namespace {

bool same_settings(const proto::AppRecord& a, const proto::AppRecord& b) {
  std::array<std::uint8_t, proto::wire_size<proto::AppRecord>()> first, second;
  const ByteSpan x = proto::encode_message(a, first), y = proto::encode_message(b, second);
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

// What gateways and cgroups are told again, what is looked at again several times a second, and what only counts
// from the next generation on.
void take_live_settings(const proto::AppRecord& from, proto::AppRecord& to) {
  to.workers_min = from.workers_min;
  to.workers_max = from.workers_max;
  to.memory_bytes = from.memory_bytes;
  to.body_bytes = from.body_bytes;
  to.startup_ms = from.startup_ms;
  to.request_ms = from.request_ms;
  to.queue_ms = from.queue_ms;
  to.graceful_ms = from.graceful_ms;
  to.shutdown_ms = from.shutdown_ms;
  to.cpu_percent = from.cpu_percent;
  to.pids = from.pids;
  to.idle_ms = from.idle_ms;
  to.max_requests = from.max_requests;
  to.max_lifetime_ms = from.max_lifetime_ms;
  to.max_memory_bytes = from.max_memory_bytes;
  to.health_path = from.health_path;
  to.health_interval_ms = from.health_interval_ms;
  to.health_ms = from.health_ms;
  to.retry = from.retry;
}

bool same_memory(const UniqueFd& a, const UniqueFd& b, std::size_t cap_bytes) {
  if (!a.valid() || !b.valid()) return a.valid() == b.valid();
  const auto first = read_sealed_memory(a.get(), cap_bytes), second = read_sealed_memory(b.get(), cap_bytes);
  return first.ok() && second.ok() && first.value() == second.value();
}

SpecChange compare_fronts(const AppFront& now, const AppFront& fresh) {
  proto::AppRecord settings = now.settings;
  take_live_settings(fresh.settings, settings);
  if (!same_settings(settings, fresh.settings)) return SpecChange::kRestart;
  const bool same = same_settings(now.settings, fresh.settings) && now.routes == fresh.routes &&
                    now.statics.empty() && fresh.statics.empty() &&
                    same_memory(now.gateway_part, fresh.gateway_part, proto::kMaxGatewayPartBytes);
  return same ? SpecChange::kNone : SpecChange::kLive;
}

}  // namespace

bool same_worker_part(const AppSpec& now, const AppSpec& fresh) {
  return same_memory(now.worker_part, fresh.worker_part, proto::kMaxWorkerPartBytes);
}

SpecChange compare_specs(const AppSpec& now, const AppSpec& fresh) {
  if (now.touches != fresh.touches || !same_apps(now, fresh)) return SpecChange::kRestart;
  SpecChange change = SpecChange::kNone;
  const auto before = now.fronts(), after = fresh.fronts();
  for (std::size_t i = 0; i < before.size(); ++i) change = std::max(change, compare_fronts(*before[i], *after[i]));
  return change;
}

}  // namespace rowhouse::supervisor
