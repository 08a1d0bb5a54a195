#include "supervisor/registry.h"

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

using proto::IncomingMessage;
using proto::MessageType;
using proto::TenantKey;

constexpr std::uint32_t kNobody = 65534;
constexpr std::uint32_t kNoId16 = 65535;
constexpr std::uint32_t kNoId32 = 0xffffffff;

const Problem kMalformed{"the loader sent records that cannot be right"};

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
  for (std::uint32_t i = 0; i < tenant.domains.size(); ++i) {
    const Domain& domain = tenant.domains[i];
    if (!is_host(domain.host)) {
      return Problem{"a domain must be a host name in lower case without a final dot, or *. and one",
                     TenantKey::kDomains, i};
    }
    const std::string_view owner = accepted.owner_of_domain(domain);
    if (owner.empty() || owner == tenant.name) continue;
    return Problem{"domain " + domain.host + " belongs to tenant " + std::string(owner) +
                       " already; remove it from one of the two",
                   TenantKey::kDomains, i};
  }
  return std::nullopt;
}

Problem taken(const std::string& what, std::string_view owner, TenantKey key) {
  return {what + " belongs to tenant " + std::string(owner) + " already; it can have one tenant only", key};
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
    case static_cast<int>(MessageType::kGatewayRecord): {
      auto gateway = proto::decode_message<proto::GatewayRecord>(record);
      if (gateway.ok()) host.gateway = gateway.value();
      return gateway.ok();
    }
    case static_cast<int>(MessageType::kTrustedProxyRecord): {
      auto proxy = proto::decode_message<proto::TrustedProxyRecord>(record);
      if (proxy.ok()) host.trusted_proxies.push_back(proxy.value());
      return proxy.ok();
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

// The whole tenant alone, or apps each of which comes once.
bool take_suspension(const IncomingMessage& message, TenantEntry& tenant) {
  const auto record = proto::decode_message<proto::SuspensionRecord>(message);
  if (!record.ok() || tenant.suspensions.size() >= proto::kMaxAppsPerTenant) return false;
  const std::string app = record.value().app.str();
  if (!app.empty() && !is_name(app)) return false;
  if (tenant.suspensions.contains("") || (app.empty() && !tenant.suspensions.empty())) return false;
  return tenant.suspensions.emplace(app, record.value().reason.str()).second;
}

}  // namespace

std::optional<Problem> check_ids(const TenantEntry& tenant, const HostConfiguration& host,
                                 const TenantIndex& accepted) {
  if (auto problem = check_identity(tenant.uid, tenant.gid, host)) return problem;
  if (const auto owner = accepted.owner_of_uid(tenant.uid); !owner.empty() && owner != tenant.name) {
    return taken("uid " + number(tenant.uid), owner, TenantKey::kUid);
  }
  if (const auto owner = accepted.owner_of_gid(tenant.gid); !owner.empty() && owner != tenant.name) {
    return taken("gid " + number(tenant.gid), owner, TenantKey::kGid);
  }
  if (const auto former = accepted.all().find(tenant.name);
      former != accepted.all().end() && (former->second.uid != tenant.uid || former->second.gid != tenant.gid)) {
    return Problem{"a tenant that is in force keeps its uid " + number(former->second.uid) + " and gid " +
                       number(former->second.gid) +
                       "; remove its file first, and give it back when nothing is left of it",
                   former->second.uid != tenant.uid ? TenantKey::kUid : TenantKey::kGid};
  }
  if (is_absolute_path(tenant.home)) return std::nullopt;
  return Problem{"the home must be an absolute path without ..", TenantKey::kHome};
}

std::optional<Problem> check_scope(const TenantEntry& tenant, const HostConfiguration& host,
                                   const TenantIndex& accepted) {
  if (!is_relative_path(tenant.manifest)) {
    return Problem{"the manifest must be a path below the home", TenantKey::kManifest};
  }
  if (!host.plans.contains(tenant.plan)) {
    return Problem{"plan \"" + tenant.plan + "\" does not exist; define it under plans: in the host file",
                   TenantKey::kPlan};
  }
  return check_domains(tenant, accepted);
}

const NetworkAccess& network_of(const TenantEntry& tenant, const HostConfiguration& host) {
  static const NetworkAccess kHostNetwork;
  if (tenant.network) return *tenant.network;
  const auto plan = host.plan_networks.find(tenant.plan);
  if (plan != host.plan_networks.end() && plan->second) return *plan->second;
  return host.network ? *host.network : kHostNetwork;
}

void TenantIndex::give_up_claims(const TenantEntry& tenant) {
  uids_.erase(tenant.uid);
  gids_.erase(tenant.gid);
  for (const Domain& domain : tenant.domains) domains_.erase(domain);
}

void TenantIndex::remove(const std::string& name) {
  const auto found = tenants_.find(name);
  if (found == tenants_.end()) return;
  give_up_claims(found->second);
  tenants_.erase(found);
}

void TenantIndex::add(TenantEntry tenant) {
  const auto former = tenants_.find(tenant.name);
  if (former != tenants_.end()) give_up_claims(former->second);
  uids_[tenant.uid] = tenant.name;
  gids_[tenant.gid] = tenant.name;
  for (const Domain& domain : tenant.domains) domains_[domain] = tenant.name;
  tenants_[tenant.name] = std::move(tenant);
}

std::string_view TenantIndex::owner_of_uid(std::uint32_t uid) const { return find_owner(uids_, uid); }
std::string_view TenantIndex::owner_of_gid(std::uint32_t gid) const { return find_owner(gids_, gid); }
std::string_view TenantIndex::owner_of_domain(const Domain& domain) const { return find_owner(domains_, domain); }

std::optional<Problem> check_identity(std::uint32_t uid, std::uint32_t gid, const HostConfiguration& host) {
  const proto::HostRecord& record = host.host;
  if (is_reserved_id(uid)) return Problem{"uid " + number(uid) + " can never be a tenant", TenantKey::kUid};
  if (is_reserved_id(gid)) return Problem{"gid " + number(gid) + " can never be a tenant's group", TenantKey::kGid};
  if (const auto group = host.privileged_groups.find(gid); group != host.privileged_groups.end()) {
    return Problem{"gid " + number(gid) + " is the host's group " + group->second +
                   ", which has power over it; give the tenant a group of its own",
                   TenantKey::kGid};
  }
  if (uid < record.uid_min) {
    return Problem{"uid " + number(uid) + " is below uids.min (" + number(record.uid_min) + ")", TenantKey::kUid};
  }
  if (gid < record.uid_min) {
    return Problem{"gid " + number(gid) + " is below uids.min (" + number(record.uid_min) +
                   "): a system group cannot be a tenant's",
                   TenantKey::kGid};
  }
  if (uid == record.gateway_uid || uid == record.control_uid || gid == record.gateway_gid ||
      gid == record.control_gid) {
    return Problem{"uid " + number(uid) + " or gid " + number(gid) + " belongs to a program of Rowhouse",
                   TenantKey::kUid};
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
    if (records[i].type == MessageType::kSuspensionRecord) {
      if (!take_suspension(records[i], tenant)) return kMalformed;
      continue;
    }
    auto domain = proto::decode_message<proto::DomainRecord>(records[i]);
    if (!domain.ok() || tenant.domains.size() >= proto::kMaxDomainsPerTenant) return kMalformed;
    tenant.domains.push_back({domain.value().host.str(), domain.value().wildcard});
  }
  if (auto problem = check_ids(tenant, host, accepted)) return *problem;
  if (auto problem = check_scope(tenant, host, accepted)) return *problem;
  return tenant;
}

}  // namespace rowhouse::supervisor
