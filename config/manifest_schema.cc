#include "config/manifest_schema.h"

#include <algorithm>
#include <set>

#include "config/addresses.h"
#include "config/gateway_schema.h"
#include "config/map_reader.h"
#include "config/names.h"
#include "config/paths.h"
#include "config/ranges.h"
#include "config/share_schema.h"

namespace rowhouse::config {
namespace {

constexpr std::uint32_t kDefaultConcurrency = 100;
constexpr std::uint64_t kDefaultBodyBytes = 10 * kMebibyte;

void set_defaults(proto::AppRecord& record) {
  record.body_bytes = kDefaultBodyBytes;
  record.startup_ms = 15'000;
  record.request_ms = 60'000;
  record.queue_ms = 45'000;
  record.graceful_ms = 15'000;
  record.shutdown_ms = 5'000;
  record.idle_ms = 600'000;
  record.health_ms = 5'000;
  record.health_interval_ms = 10'000;
}

// A variable of the manifest replaces the one that we set.
void set_variable(proto::WorkerPart& part, const std::string& name, const std::string& value) {
  auto& variables = part.environment;
  const auto found =
      std::find_if(variables.begin(), variables.end(), [&](const auto& each) { return each.first == name; });
  if (found != variables.end()) {
    found->second = value;
  } else {
    variables.emplace_back(name, value);
  }
}

using RoutesSeen = std::set<std::pair<std::string, std::string>>;

void read_routes(const Node& node, App& app, RoutesSeen& seen, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"routes\"", proto::kMaxRoutesPerApp, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const auto route = read_parsed(item, "\"routes\"", diagnostics, parse_route);
    if (!route) continue;
    if (!seen.emplace(route->host.str(), route->prefix.str()).second) {
      diagnostics.add(item.position,
                      "\"routes\" has " + quote(item.text) + ", which an app of this manifest has already");
    }
    app.routes.push_back(*route);
  }
}

// Exactly one of the three keys; empty after a report.
std::string_view find_callable_key(const MapReader& reader, App& app) {
  using proto::Interface;
  std::string_view found;
  for (const auto& [key, interface] : {std::pair<std::string_view, Interface>{"wsgi", Interface::kWsgi},
                                       {"asgi", Interface::kAsgi},
                                       {"app", Interface::kDetect}}) {
    if (reader.find(key) == nullptr) continue;
    if (!found.empty()) {
      reader.diagnostics().add(reader.position_of(key), quote(key) + " beside " + quote(found) + ": an app has one of them");
      return {};
    }
    found = key;
    app.part.interface = interface;
  }
  if (found.empty()) static_cast<void>(reader.require("wsgi"));
  return found;
}

// Requests that run at the same time: threads of a WSGI app, or on the event loop of an ASGI app.
void read_places(const MapReader& reader, App& app) {
  using proto::Interface;
  reader.whole("threads", kThreads, app.record.threads);
  if (app.part.interface != Interface::kWsgi) app.record.concurrency = kDefaultConcurrency;
  reader.whole("concurrency", kLoopConcurrency, app.record.concurrency);
  if (app.part.interface == Interface::kWsgi && reader.find("concurrency") != nullptr) {
    reader.diagnostics().add(reader.position_of("concurrency"),
                             "\"concurrency\" is for ASGI apps; a WSGI app has \"threads\"");
  }
  if (app.part.interface == Interface::kAsgi && reader.find("threads") != nullptr) {
    reader.diagnostics().add(reader.position_of("threads"),
                             "\"threads\" is for WSGI apps; an ASGI app has \"concurrency\"");
  }
}

void read_callable(const MapReader& reader, App& app) {
  const std::string_view key = find_callable_key(reader, app);
  if (key.empty()) return;
  bool factory = false;
  reader.flag("factory", factory);
  if (factory) app.part.role = proto::CallableRole::kFactory;
  const auto callable = reader.parsed(key, parse_callable);
  if (!callable) return;
  app.part.kind = callable->kind;
  app.part.attribute = callable->attribute;
  if (callable->kind == proto::CallableKind::kModule) {
    app.part.module = callable->module;
  } else {
    app.script = {callable->module, reader.position_of(key)};
    if (factory) app.part.attribute = "create_app";
  }
}

void read_path(const MapReader& reader, std::string_view key, ManifestPath& into) {
  into.position = reader.position_of(key);
  if (const auto path = reader.parsed(key, parse_relative_path)) into.path = *path;
}

Parsed<proto::RetryPolicy> parse_retry(std::string_view text) {
  if (text == "unstarted") return proto::RetryPolicy::kUnstarted;
  if (text == "idempotent") return proto::RetryPolicy::kIdempotent;
  return Problem{"must be unstarted or idempotent"};
}

Parsed<bool> parse_reload(std::string_view text) {
  if (text == "touch") return true;
  if (text == "manual") return false;
  return Problem{"must be touch or manual"};
}

// The files whose change restarts the app: tmp/restart.txt below its directory, and what the app is imported from: the
// script, or the module where it lies below the directory.
void find_touched_files(const MapReader& reader, App& app) {
  const std::string below = app.directory.path == "." ? "" : app.directory.path + "/";
  std::vector<std::string> paths = {below + "tmp/restart.txt"};
  if (app.part.kind == proto::CallableKind::kScript) {
    paths.push_back(app.script.path);
  } else {
    std::string module = app.part.module;
    std::replace(module.begin(), module.end(), '.', '/');
    paths.push_back(below + module + ".py");
    paths.push_back(below + module + "/__init__.py");
  }
  for (const std::string& path : paths) {
    if (const auto fitting = proto::Path::from(path)) {
      app.touches.push_back({*fitting});
    } else {
      reader.diagnostics().add(reader.position_of("reload"), "\"reload\" would look at " + quote(path) +
                                                                 ", which is longer than a path may be");
    }
  }
}

void read_environment(const Node& node, App& app, Diagnostics& diagnostics) {
  const Node* map = read_names(node, "\"env\"", kMaxEnvironment, diagnostics);
  if (map == nullptr) return;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    const Key& key = map->keys[i];
    const Node& value = map->children[i];
    const Parsed<std::string> name = parse_environment_name(key.name);
    if (!name.ok()) diagnostics.add(key.position, quote(key.name) + " " + name.problem());
    if (value.kind != NodeKind::kScalar) {
      diagnostics.add(value.position, quote(key.name) + " must be a single value; \"\" for an empty one");
      continue;
    }
    set_variable(app.part, key.name, value.text);
  }
}

// A number, or { min, max } of which either may be left out.
void read_workers(const Node& node, proto::AppRecord& record, Diagnostics& diagnostics) {
  if (node.kind != NodeKind::kMap) {
    const auto count = read_whole(node, "\"workers\"", kWorkers, diagnostics);
    if (count) record.workers_min = record.workers_max = static_cast<std::uint32_t>(*count);
    return;
  }
  const MapReader reader(node, kWorkersTable, diagnostics);
  reader.whole("min", kWorkersMin, record.workers_min);
  record.workers_max = std::max(record.workers_min, 1U);
  reader.whole("max", kWorkers, record.workers_max);
  if (record.workers_max < record.workers_min) {
    diagnostics.add(reader.position_of("max"), "\"max\" must not be less than \"min\"");
  }
}

void read_limits(const Node& node, proto::AppRecord& record, Diagnostics& diagnostics) {
  const MapReader reader(node, kLimitsTable, diagnostics);
  reader.quantity("memory", parse_size, kMemory, record.memory_bytes);
  reader.quantity("cpu", parse_percent, kCpuPercent, record.cpu_percent);
  reader.whole("pids", kPids, record.pids);
  reader.quantity("body", parse_size, kBody, record.body_bytes);
}

void read_timeouts(const Node& node, proto::AppRecord& record, Diagnostics& diagnostics) {
  const MapReader reader(node, kTimeoutsTable, diagnostics);
  reader.quantity("startup", parse_duration, kStartupMs, record.startup_ms);
  reader.quantity("request", parse_duration, kRequestMs, record.request_ms);
  reader.quantity("queue", parse_duration, kQueueMs, record.queue_ms);
  reader.quantity("graceful", parse_duration, kGracefulMs, record.graceful_ms);
  reader.quantity("shutdown", parse_duration, kShutdownMs, record.shutdown_ms);
  reader.quantity("idle", parse_duration, kIdleMs, record.idle_ms);
  reader.quantity("health", parse_duration, kHealthMs, record.health_ms);
}

void read_health(const Node& node, proto::AppRecord& record, Diagnostics& diagnostics) {
  const MapReader reader(node, kHealthTable, diagnostics);
  if (reader.require("path") != nullptr) reader.text("path", parse_health_path, record.health_path);
  reader.quantity("interval", parse_duration, kHealthIntervalMs, record.health_interval_ms);
}

// When a worker has done enough.
void read_ends(const MapReader& reader, proto::AppRecord& record) {
  reader.whole("max_requests", kMaxRequests, record.max_requests);
  reader.quantity("max_lifetime", parse_duration, kMaxLifetimeMs, record.max_lifetime_ms);
  reader.quantity("max_memory", parse_size, kMemory, record.max_memory_bytes);
}

App read_app(const Node& node, const ManifestOwner& owner, RoutesSeen& seen, Diagnostics& diagnostics) {
  App app;
  set_defaults(app.record);
  app.record.python = proto::Text<15>::cut(owner.default_python);
  app.part.tenant = owner.tenant;
  app.directory.path = ".";
  if (!owner.user.empty()) {
    set_variable(app.part, "USER", owner.user);
    set_variable(app.part, "LOGNAME", owner.user);
  }
  const MapReader reader(node, kAppTable, diagnostics);
  if (const Node* routes = reader.require("routes")) read_routes(*routes, app, seen, diagnostics);
  read_callable(reader, app);
  read_path(reader, "directory", app.directory);
  read_path(reader, "virtualenv", app.virtualenv);
  reader.text("python", parse_python_version, app.record.python);
  if (const Node* variables = reader.find("env")) read_environment(*variables, app, diagnostics);
  if (const Node* workers = reader.find("workers")) read_workers(*workers, app.record, diagnostics);
  read_places(reader, app);
  read_gateway_part(reader, app);
  if (const Node* limits = reader.find("limits")) read_limits(*limits, app.record, diagnostics);
  if (const Node* timeouts = reader.find("timeouts")) read_timeouts(*timeouts, app.record, diagnostics);
  if (const Node* health = reader.find("health")) read_health(*health, app.record, diagnostics);
  read_ends(reader, app.record);
  reader.flag("preload", app.record.preload);
  if (const auto retry = reader.parsed("retry", parse_retry)) app.record.retry = *retry;
  if (const auto reload = reader.parsed("reload", parse_reload)) app.reload_on_touch = *reload;
  if (app.reload_on_touch) find_touched_files(reader, app);
  read_share(reader, app);
  app.part.threads = static_cast<std::uint16_t>(app.record.threads);
  app.part.python = app.record.python.str();
  return app;
}

}  // namespace

std::vector<App> read_manifest(const Node& root, const ManifestOwner& owner, Diagnostics& diagnostics) {
  std::vector<App> apps;
  const MapReader reader(root, kManifestTable, diagnostics);
  const Node* node = reader.require("apps");
  if (node == nullptr) return apps;
  const Node* map = read_names(*node, "\"apps\"", proto::kMaxAppsPerTenant, diagnostics);
  if (map == nullptr) return apps;
  RoutesSeen seen;
  for (std::size_t i = 0; i < map->keys.size(); ++i) {
    App app = read_app(map->children[i], owner, seen, diagnostics);
    const Parsed<std::string> name = parse_name(map->keys[i].name);
    if (name.ok()) {
      app.record.name = proto::Name::cut(name.value());
      app.part.app = name.value();
    } else {
      diagnostics.add(map->keys[i].position, "an app " + name.problem());
    }
    apps.push_back(std::move(app));
  }
  check_shares(apps, diagnostics);
  return apps;
}

}  // namespace rowhouse::config
