#include "supervisor/registry.h"

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

using proto::IncomingMessage;
using proto::MessageType;

constexpr std::uint32_t kNobody = 65534;
constexpr std::uint32_t kNoId16 = 65535;
constexpr std::uint32_t kNoId32 = 0xffffffff;
constexpr std::uint32_t kMaxTimeoutMs = 24 * 3600 * 1000;

const Problem kMalformed{"the loader sent records that cannot be right"};

bool is_label(std::string_view label) {
  const auto valid = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), valid);
}

bool is_plain_segment(std::string_view segment) {
  const auto valid = [](char c) { return c > ' ' && c < 0x7f && c != '%' && c != '?' && c != '#' && c != '\\'; };
  return !segment.empty() && segment != "." && segment != ".." && std::all_of(segment.begin(), segment.end(), valid);
}

bool is_absolute_path(std::string_view path) {
  return path.size() > 1 && path.front() == '/' && path.find('\0') == std::string_view::npos &&
         path.find("/../") == std::string_view::npos && !path.ends_with("/..");
}

bool is_relative_path(std::string_view path) {
  return !path.empty() && path.front() != '/' && path != ".." && !path.starts_with("../") &&
         path.find('\0') == std::string_view::npos && path.find("/../") == std::string_view::npos &&
         !path.ends_with("/..");
}

template <typename Record>
const Record* decoded(Result<Record>& result) {
  return result.ok() ? &result.value() : nullptr;
}

template <typename Key>
std::string_view find_owner(const std::map<Key, std::string>& owners, const Key& key) {
  const auto found = owners.find(key);
  return found == owners.end() ? std::string_view() : std::string_view(found->second);
}

bool is_reserved_id(std::uint32_t id) { return id == 0 || id == kNobody || id == kNoId16 || id == kNoId32; }

std::string number(std::uint64_t value) { return std::to_string(value); }

std::optional<Problem> check_domains(const TenantEntry& tenant, const TenantIndex& accepted) {
  for (const Domain& domain : tenant.domains) {
    if (!is_host(domain.host)) return kMalformed;
    const std::string_view owner = accepted.owner_of_domain(domain);
    if (owner.empty()) continue;
    return Problem{"domain " + domain.host + " belongs to tenant " + std::string(owner) +
                   " already; remove it from one of the two"};
  }
  return std::nullopt;
}

Problem taken(const std::string& what, std::string_view owner) {
  return Problem{what + " belongs to tenant " + std::string(owner) + " already; it can have one tenant only"};
}

std::optional<Problem> check_tenant(const TenantEntry& tenant, const HostConfiguration& host,
                                    const TenantIndex& accepted) {
  if (const auto problem = check_identity(tenant.uid, tenant.gid, host)) return problem;
  if (const auto owner = accepted.owner_of_uid(tenant.uid); !owner.empty()) {
    return taken("uid " + number(tenant.uid), owner);
  }
  if (const auto owner = accepted.owner_of_gid(tenant.gid); !owner.empty()) {
    return taken("gid " + number(tenant.gid), owner);
  }
  if (!is_absolute_path(tenant.home)) return Problem{"the home must be an absolute path without .."};
  if (!is_relative_path(tenant.manifest)) return Problem{"the manifest must be a path below the home"};
  if (!host.plans.contains(tenant.plan)) {
    return Problem{"plan \"" + tenant.plan + "\" does not exist; define it under plans: in the host file"};
  }
  return check_domains(tenant, accepted);
}

std::optional<Problem> check_timeouts(const proto::AppRecord& app) {
  for (const std::uint32_t ms :
       {app.startup_ms, app.request_ms, app.queue_ms, app.graceful_ms, app.shutdown_ms}) {
    if (ms == 0 || ms > kMaxTimeoutMs) return kMalformed;
  }
  return std::nullopt;
}

Problem over_plan(std::string_view app, const std::string& what, std::uint64_t asked, std::uint64_t allowed,
                  const std::string& plan) {
  return Problem{"app " + std::string(app) + ": " + what + " " + number(asked) + " is more than the " +
                 number(allowed) + " of plan \"" + plan + "\""};
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
  if (app.workers_min < 1 || app.workers_min > app.workers_max || app.threads < 1) return kMalformed;
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

using Apps = std::map<std::string, AppSpec>;

// Takes one record; `current` is the app that routes and statics belong to.
std::optional<Problem> take_manifest_record(IncomingMessage& record, const TenantEntry& tenant,
                                            const HostConfiguration& host, Apps& apps, AppSpec*& current) {
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
  const auto directory = proto::decode_message<proto::StaticRecord>(record);
  if (!directory.ok()) return kMalformed;
  return add_static(*current, directory.value(), std::move(record.descriptors.front()));
}

std::optional<Problem> check_manifest(const Apps& apps, const TenantEntry& tenant, const HostConfiguration& host) {
  std::uint64_t workers = 0;
  std::map<Route, std::string> routes;
  for (const auto& [name, app] : apps) {
    workers += app.settings.workers_max;
    for (const Route& route : app.routes) {
      const auto [other, added] = routes.emplace(route, name);
      if (!added) {
        return Problem{"route " + route.host + route.prefix + " is claimed twice, by " + other->second + " and " + name};
      }
    }
  }
  const std::uint32_t allowed = host.plans.at(tenant.plan).workers;
  if (workers <= allowed) return std::nullopt;
  return Problem{"the apps ask for " + number(workers) + " workers together, more than the " + number(allowed) +
                 " of plan \"" + tenant.plan + "\""};
}

bool take_host_record(const IncomingMessage& record, HostConfiguration& host, bool& has_host) {
  switch (static_cast<int>(record.type)) {
    case static_cast<int>(MessageType::kHostRecord): {
      auto decoded_host = proto::decode_message<proto::HostRecord>(record);
      if (decoded_host.ok()) host.host = decoded_host.value();
      has_host = decoded_host.ok();
      return has_host;
    }
    case static_cast<int>(MessageType::kListenRecord): {
      auto listen = proto::decode_message<proto::ListenRecord>(record);
      if (listen.ok()) host.listen.push_back(listen.value());
      return listen.ok();
    }
    case static_cast<int>(MessageType::kAdminRecord): {
      auto admin = proto::decode_message<proto::AdminRecord>(record);
      if (admin.ok()) host.admins.push_back(admin.value().uid);
      return admin.ok();
    }
    case static_cast<int>(MessageType::kPythonRecord): {
      auto python = proto::decode_message<proto::PythonRecord>(record);
      if (python.ok()) host.pythons.push_back(python.value().version.str());
      return python.ok();
    }
    case static_cast<int>(MessageType::kPlanRecord): {
      auto plan = proto::decode_message<proto::PlanRecord>(record);
      if (!plan.ok() || !is_name(plan.value().name.view())) return false;
      host.plans[plan.value().name.str()] = plan.value();
      return true;
    }
    case static_cast<int>(MessageType::kPrivilegedGroupRecord): {
      auto group = proto::decode_message<proto::PrivilegedGroupRecord>(record);
      if (group.ok()) host.privileged_groups[group.value().gid] = group.value().name.str();
      return group.ok();
    }
    default: return false;
  }
}

// Where the network records after `record` belong; null when it has none.
std::optional<NetworkAccess>* network_slot(const IncomingMessage& record, HostConfiguration& host) {
  if (record.type == MessageType::kHostRecord) return &host.network;
  if (record.type != MessageType::kPlanRecord) return nullptr;
  const auto plan = proto::decode_message<proto::PlanRecord>(record);
  return plan.ok() ? &host.plan_networks[plan.value().name.str()] : nullptr;
}

}  // namespace

const NetworkAccess& network_of(const TenantEntry& tenant, const HostConfiguration& host) {
  static const NetworkAccess kHostNetwork;
  if (tenant.network) return *tenant.network;
  const auto plan = host.plan_networks.find(tenant.plan);
  if (plan != host.plan_networks.end() && plan->second) return *plan->second;
  return host.network ? *host.network : kHostNetwork;
}

void TenantIndex::add(TenantEntry tenant) {
  uids_[tenant.uid] = tenant.name;
  gids_[tenant.gid] = tenant.name;
  for (const Domain& domain : tenant.domains) domains_[domain] = tenant.name;
  tenants_[tenant.name] = std::move(tenant);
}

std::string_view TenantIndex::owner_of_uid(std::uint32_t uid) const { return find_owner(uids_, uid); }
std::string_view TenantIndex::owner_of_gid(std::uint32_t gid) const { return find_owner(gids_, gid); }
std::string_view TenantIndex::owner_of_domain(const Domain& domain) const { return find_owner(domains_, domain); }

bool is_name(std::string_view text) {
  const auto valid = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= proto::kMaxNameBytes && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), valid);
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > proto::kMaxHostBytes) return false;
  while (true) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_route_prefix(std::string_view text) {
  if (text.empty()) return true;
  if (text.size() > proto::kMaxPrefixBytes || text.front() != '/') return false;
  text.remove_prefix(1);
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_plain_segment(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool owns_host(const std::vector<Domain>& domains, std::string_view host) {
  const bool wildcard = host.starts_with("*.");
  const std::string_view bare = wildcard ? host.substr(2) : host;
  return std::any_of(domains.begin(), domains.end(), [&](const Domain& domain) {
    if (!domain.wildcard) return !wildcard && bare == domain.host;
    const bool below = bare.size() > domain.host.size() + 1 && bare.ends_with(domain.host) &&
                       bare[bare.size() - domain.host.size() - 1] == '.';
    return below || (wildcard && bare == domain.host);
  });
}

std::optional<Problem> check_identity(std::uint32_t uid, std::uint32_t gid, const HostConfiguration& host) {
  const proto::HostRecord& record = host.host;
  if (is_reserved_id(uid)) return Problem{"uid " + number(uid) + " can never be a tenant"};
  if (is_reserved_id(gid)) return Problem{"gid " + number(gid) + " can never be a tenant's group"};
  if (const auto group = host.privileged_groups.find(gid); group != host.privileged_groups.end()) {
    return Problem{"gid " + number(gid) + " is the host's group " + group->second +
                   ", which has power over it; give the tenant a group of its own"};
  }
  if (uid < record.uid_min) {
    return Problem{"uid " + number(uid) + " is below uids.min (" + number(record.uid_min) + ")"};
  }
  if (gid < record.uid_min) {
    return Problem{"gid " + number(gid) + " is below uids.min (" + number(record.uid_min) +
                   "): a system group cannot be a tenant's"};
  }
  if (uid == record.gateway_uid || uid == record.control_uid || gid == record.gateway_gid ||
      gid == record.control_gid) {
    return Problem{"uid " + number(uid) + " or gid " + number(gid) + " belongs to a program of Rowhouse"};
  }
  return std::nullopt;
}

OrProblem<HostConfiguration> read_host_records(const std::vector<IncomingMessage>& records) {
  HostConfiguration host;
  bool has_host = false;
  std::optional<NetworkAccess>* network = nullptr;  // of the host or plan before it
  for (const IncomingMessage& record : records) {
    if (is_network_record(record.type)) {
      if (!take_network_record(record, network)) return kMalformed;
      continue;
    }
    if (!take_host_record(record, host, has_host)) return kMalformed;
    network = network_slot(record, host);
  }
  if (!host.network) return kMalformed;
  if (!has_host || host.listen.empty()) return kMalformed;
  if (host.host.gateway_uid == 0 || host.host.control_uid == 0 || host.host.gateway_processes > proto::kMaxGateways) {
    return kMalformed;
  }
  return host;
}

OrProblem<TenantEntry> read_tenant_records(const std::string& name, const std::vector<IncomingMessage>& records,
                                           const HostConfiguration& host,
                                           const TenantIndex& accepted) {
  TenantEntry tenant;
  tenant.name = name;
  if (records.empty() || !is_name(name)) return kMalformed;
  auto first = proto::decode_message<proto::TenantRecord>(records.front());
  const proto::TenantRecord* record = decoded(first);
  if (record == nullptr) return kMalformed;
  tenant.user = record->user.str();
  tenant.uid = record->uid;
  tenant.gid = record->gid;
  tenant.home = record->home.str();
  tenant.plan = record->plan.str();
  tenant.manifest = record->manifest.str();
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (is_network_record(records[i].type)) {
      if (!take_network_record(records[i], &tenant.network)) return kMalformed;
      continue;
    }
    auto domain = proto::decode_message<proto::DomainRecord>(records[i]);
    if (!domain.ok() || tenant.domains.size() >= proto::kMaxDomainsPerTenant) return kMalformed;
    tenant.domains.push_back({domain.value().host.str(), domain.value().wildcard});
  }
  if (auto problem = check_tenant(tenant, host, accepted)) return *problem;
  return tenant;
}

OrProblem<Apps> read_manifest_records(std::vector<IncomingMessage>& records, const TenantEntry& tenant,
                                      const HostConfiguration& host) {
  Apps apps;
  AppSpec* current = nullptr;
  for (IncomingMessage& record : records) {
    if (auto problem = take_manifest_record(record, tenant, host, apps, current)) return *problem;
  }
  if (auto problem = check_manifest(apps, tenant, host)) return *problem;
  return apps;
}

}  // namespace rowhouse::supervisor
