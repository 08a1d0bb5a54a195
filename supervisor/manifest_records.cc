// What a manifest's loader sends, checked again: the loader ran as the tenant.
#include <algorithm>
#include <array>

#include "supervisor/registry.h"

namespace rowhouse::supervisor {
namespace {

using proto::IncomingMessage;
using proto::MessageType;

using Apps = std::map<std::string, AppSpec>;

// What is being put together.
struct Reading {
  Apps apps;
  std::map<std::string, std::string> shares;  // by app
  AppSpec* current = nullptr;                 // the app that routes and statics belong to
};

const Problem kMalformed{"the manifest's loader sent records that cannot be right"};
constexpr std::uint32_t kMaxTimeoutMs = 24 * 3600 * 1000;

std::optional<Problem> check_timeouts(const proto::AppRecord& app) {
  for (const std::uint32_t ms :
       {app.startup_ms, app.request_ms, app.queue_ms, app.graceful_ms, app.shutdown_ms,
        app.idle_ms, app.health_ms}) {
    if (ms == 0 || ms > kMaxTimeoutMs) return kMalformed;
  }
  if (app.health_interval_ms > kMaxTimeoutMs) return kMalformed;
  // It travels on to the gateways, as a path below the app's routes.
  const std::string_view path = app.health_path.view();
  if (!path.empty() && path != "/" && !is_route_prefix(path.ends_with('/') ? path.substr(0, path.size() - 1) : path)) {
    return kMalformed;
  }
  return std::nullopt;
}

Problem over_plan(std::string_view app, const std::string& what, std::uint64_t asked, std::uint64_t allowed,
                  const std::string& plan) {
  return Problem{"app " + std::string(app) + ": " + what + " " + std::to_string(asked) + " is more than the " +
                 std::to_string(allowed) + " of plan \"" + plan + "\""};
}

std::optional<Problem> check_app(const proto::AppRecord& app, const TenantEntry& tenant,
                                 const HostConfiguration& host) {
  const std::string_view name = app.name.view();
  const Plan& plan = host.plans.at(tenant.plan);
  const auto& pythons = host.pythons;
  if (!is_name(name)) return kMalformed;
  if (std::find(pythons.begin(), pythons.end(), app.python.view()) == pythons.end()) {
    return Problem{"app " + std::string(name) + ": Python " + app.python.str() + " is not offered on this host"};
  }
  if (app.workers_max < 1 || app.workers_min > app.workers_max || app.threads < 1) return kMalformed;
  if (app.concurrency > proto::kMaxConcurrency) return kMalformed;
  if (app.workers_max > plan.workers) {
    return over_plan(name, "workers", app.workers_max, plan.workers, tenant.plan);
  }
  if (app.threads > std::min(plan.threads, proto::kMaxThreads)) {
    return over_plan(name, "threads", app.threads, plan.threads, tenant.plan);
  }
  if (app.memory_bytes > plan.memory_bytes) {
    return over_plan(name, "limits.memory", app.memory_bytes, plan.memory_bytes, tenant.plan);
  }
  if (plan.cpu_percent != 0 && app.cpu_percent > plan.cpu_percent) {
    return over_plan(name, "limits.cpu (percent)", app.cpu_percent, plan.cpu_percent, tenant.plan);
  }
  if (app.pids > plan.pids) return over_plan(name, "limits.pids", app.pids, plan.pids, tenant.plan);
  return check_timeouts(app);
}

std::optional<Problem> add_route(AppSpec& app, const proto::RouteRecord& record, const TenantEntry& tenant) {
  const std::string_view host = record.host.view();
  const std::string_view bare = host.starts_with("*.") ? host.substr(2) : host;
  if (!is_host(bare) || !is_route_prefix(record.prefix.view())) return kMalformed;
  if (app.routes.size() >= proto::kMaxRoutesPerApp) return kMalformed;
  if (!owns_host(tenant.domains, host)) {
    return Problem{"app " + app.settings.name.str() + ": route " + std::string(host) + record.prefix.str() +
                   " is not under a domain of tenant " + tenant.name};
  }
  app.routes.push_back({std::string(host), record.prefix.str()});
  return std::nullopt;
}

std::optional<Problem> add_static(AppSpec& app, const proto::StaticRecord& record, UniqueFd directory) {
  const std::string_view prefix = record.prefix.view();
  const bool shaped = prefix.size() >= 2 && prefix.ends_with('/') &&
                      is_route_prefix(prefix.substr(0, prefix.size() - 1));
  if (!shaped || app.statics.size() >= proto::kMaxStaticsPerApp) return kMalformed;
  app.statics.push_back({std::string(prefix), std::move(directory)});
  return std::nullopt;
}

// The longest path below a home that still is one of a sandbox.
std::optional<Problem> add_touch(AppSpec& app, const proto::TouchRecord& record, const TenantEntry& tenant) {
  const std::string path = record.path.str();
  if (!is_path_below(path) || app.touches.size() >= proto::kMaxTouchPathsPerApp) return kMalformed;
  if (tenant.home.size() + 1 + path.size() > proto::kMaxPathBytes) {
    return Problem{"app " + app.settings.name.str() + ": reload: the path of a file to look at is too long"};
  }
  app.touches.push_back(path);
  return std::nullopt;
}

bool take_share(Reading& reading, const IncomingMessage& message) {
  const auto record = proto::decode_message<proto::ShareRecord>(message);
  return record.ok() && is_name(record.value().share.view()) &&
         reading.shares.emplace(reading.current->settings.name.str(), record.value().share.str()).second;
}

std::optional<Problem> take_manifest_record(IncomingMessage& record, const TenantEntry& tenant,
                                            const HostConfiguration& host, Reading& reading) {
  auto& [apps, shares, current] = reading;
  if (record.type == MessageType::kAppRecord) {
    auto app = proto::decode_message<proto::AppRecord>(record);
    if (!app.ok() || apps.size() >= proto::kMaxAppsPerTenant) return kMalformed;
    if (auto problem = check_app(app.value(), tenant, host)) return problem;
    auto [entry, added] = apps.try_emplace(app.value().name.str());
    if (!added) return kMalformed;
    current = &entry->second;
    current->settings = app.value();
    current->worker_part = std::move(record.descriptors.front());
    return std::nullopt;
  }
  if (current == nullptr) return kMalformed;
  if (record.type == MessageType::kRouteRecord) {
    const auto route = proto::decode_message<proto::RouteRecord>(record);
    return route.ok() ? add_route(*current, route.value(), tenant) : kMalformed;
  }
  if (record.type == MessageType::kShareRecord) {
    return take_share(reading, record) ? std::nullopt : std::optional(kMalformed);
  }
  if (record.type == MessageType::kTouchRecord) {
    const auto touch = proto::decode_message<proto::TouchRecord>(record);
    return touch.ok() ? add_touch(*current, touch.value(), tenant) : kMalformed;
  }
  if (record.type == MessageType::kGatewayPartRecord) {
    if (!proto::decode_message<proto::GatewayPartRecord>(record).ok() || current->gateway_part.valid()) return kMalformed;
    current->gateway_part = std::move(record.descriptors.front());
    return std::nullopt;
  }
  const auto directory = proto::decode_message<proto::StaticRecord>(record);
  if (!directory.ok()) return kMalformed;
  return add_static(*current, directory.value(), std::move(record.descriptors.front()));
}

// What each app of a share has for itself; in everything else they are one process.
void take_own_settings(const proto::AppRecord& from, proto::AppRecord& to) {
  to.name = from.name;
  to.threads = from.threads;
  to.concurrency = from.concurrency;
  to.body_bytes = from.body_bytes;
  to.request_ms = from.request_ms;
  to.queue_ms = from.queue_ms;
  to.health_path = from.health_path;
  to.health_interval_ms = from.health_interval_ms;
  to.health_ms = from.health_ms;
  to.retry = from.retry;
}

bool fits_share(const AppSpec& first, const AppSpec& other) {
  proto::AppRecord like = first.settings;
  take_own_settings(other.settings, like);
  std::array<std::uint8_t, proto::wire_size<proto::AppRecord>()> one, two;
  const ByteSpan x = proto::encode_message(like, one), y = proto::encode_message(other.settings, two);
  return !like.preload && first.others.size() + 1 < proto::kMaxAppsPerShare &&
         std::equal(x.begin(), x.end(), y.begin(), y.end());
}

bool has_one_health_check(const AppSpec& spec) {
  unsigned checks = 0;
  for (const AppFront* front : spec.fronts()) checks += front->settings.health_path.empty() ? 0 : 1;
  return checks <= 1;
}

// The apps of a share become one, under the name of the first.  The loader has refused, with file and line, what is refused
// here.
std::optional<Problem> merge_shares(Reading& reading) {
  std::map<std::string, AppSpec*> firsts;
  for (const auto& [name, share] : reading.shares) {
    const auto entry = reading.apps.find(name);
    const auto [first, is_first] = firsts.emplace(share, &entry->second);
    if (is_first) continue;
    AppSpec& spec = *first->second;
    AppSpec& other = entry->second;
    if (!fits_share(spec, other)) {
      return Problem{"app " + name + ": it does not fit into share " + share + ": the apps of a share are one process"};
    }
    for (std::string& path : other.touches) {
      if (std::find(spec.touches.begin(), spec.touches.end(), path) == spec.touches.end()) spec.touches.push_back(path);
    }
    AppFront& front = other;
    spec.others.push_back(std::move(front));
    if (!has_one_health_check(spec)) return Problem{"share " + share + ": it can have one health check only"};
    reading.apps.erase(entry);
  }
  return std::nullopt;
}

std::optional<Problem> check_manifest(const Apps& apps, const TenantEntry& tenant, const HostConfiguration& host) {
  std::uint64_t workers = 0;
  std::map<Route, std::string> routes;
  for (const auto& [name, app] : apps) {
    workers += app.settings.workers_max;
    for (const AppFront* front : app.fronts()) {
      const std::string front_name = front->settings.name.str();
      for (const Route& route : front->routes) {
        const auto [other, added] = routes.emplace(route, front_name);
        if (!added) {
          return Problem{"route " + route.host + route.prefix + " is claimed twice, by " + other->second + " and " +
                         front_name};
        }
      }
    }
  }
  const std::uint32_t allowed = host.plans.at(tenant.plan).workers;
  if (workers <= allowed) return std::nullopt;
  return Problem{"the apps ask for " + std::to_string(workers) + " workers together, more than the " + std::to_string(allowed) +
                 " of plan \"" + tenant.plan + "\""};
}

}  // namespace

OrProblem<Apps> read_manifest_records(std::vector<IncomingMessage>& records, const TenantEntry& tenant,
                                      const HostConfiguration& host) {
  Reading reading;
  for (IncomingMessage& record : records) {
    if (auto problem = take_manifest_record(record, tenant, host, reading)) return *problem;
  }
  if (auto problem = merge_shares(reading)) return *problem;
  if (auto problem = check_manifest(reading.apps, tenant, host)) return *problem;
  return std::move(reading.apps);
}

bool same_apps(const AppSpec& a, const AppSpec& b) {
  const auto same_name = [](const AppFront* x, const AppFront* y) { return x->settings.name.view() == y->settings.name.view(); };
  const auto x = a.fronts(), y = b.fronts();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), same_name);
}

const AppSpec* find_spec(const std::map<std::string, AppSpec>& specs, std::string_view name) {
  for (const auto& [key, spec] : specs) {
    for (const AppFront* front : spec.fronts()) {
      if (front->settings.name.view() == name) return &spec;
    }
  }
  return nullptr;
}

}  // namespace rowhouse::supervisor
