// What the configuration says, as types that cannot be wrong, and the rules that root checks itself: identity of
// tenants, ceilings of plans, ownership of domains, shape of names and prefixes.  Pure: records in, a value or a
// sentence out.
//
// SECURITY: a manifest's records are tenant bytes; everything they claim beyond the app's own processes is checked
// here (tests/unit/supervisor/test_registry.cc).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/unique_fd.h"
#include "proto/loader_messages.h"
#include "proto/tenant_messages.h"
#include "supervisor/network.h"

namespace rowhouse::supervisor {

// A refusal in one sentence for the operator or the tenant.
struct Problem {
  std::string sentence;
  proto::TenantKey key = proto::TenantKey::kNone;  // of a tenant's file: what it is about
  std::uint32_t index = 0;                         // of kDomains: which one
};
template <typename T>
using OrProblem = std::variant<T, Problem>;

using Plan = proto::PlanRecord;

struct HostConfiguration {
  proto::HostRecord host;
  std::vector<proto::ListenRecord> listen;
  proto::GatewayRecord gateway;
  std::vector<proto::TrustedProxyRecord> trusted_proxies;
  std::vector<std::uint32_t> admins;
  std::vector<std::string> pythons;  // the first is the default; as loaded: empty means all that were built
  std::map<std::string, Plan> plans;
  std::optional<NetworkAccess> network;                            // of isolation; always there once loaded
  std::map<std::string, std::optional<NetworkAccess>> plan_networks;  // of the plans that have one
  std::map<std::uint32_t, std::string> privileged_groups;  // gid to name: groups with power over this host
};

struct Domain {
  std::string host;
  bool wildcard = false;
  auto operator<=>(const Domain&) const = default;
};

struct TenantEntry {
  std::string name;
  std::string user;
  std::uint32_t uid = 0, gid = 0;
  std::string home;
  std::string plan;
  std::string manifest;
  std::vector<Domain> domains;
  std::optional<NetworkAccess> network;  // of its own
  std::map<std::string, std::string> suspensions;  // app ("": the whole tenant) and why, "" without a reason
  bool operator==(const TenantEntry&) const = default;

  [[nodiscard]] bool suspends(const std::string& app) const {
    return suspensions.contains("") || suspensions.contains(app);
  }
};

// The accepted tenants, and who has which uid, gid and domain: checking one more costs the same however many
// there are.
class TenantIndex {
 public:
  // Takes the place of a former entry with the same name; references to it stay good.
  void add(TenantEntry tenant);
  void remove(const std::string& name);
  [[nodiscard]] const std::map<std::string, TenantEntry>& all() const { return tenants_; }
  // The name of the tenant that has it; empty when nobody has.
  [[nodiscard]] std::string_view owner_of_uid(std::uint32_t uid) const;
  [[nodiscard]] std::string_view owner_of_gid(std::uint32_t gid) const;
  [[nodiscard]] std::string_view owner_of_domain(const Domain& domain) const;

 private:
  void give_up_claims(const TenantEntry& tenant);

  std::map<std::string, TenantEntry> tenants_;
  std::map<std::uint32_t, std::string> uids_, gids_;
  std::map<Domain, std::string> domains_;
};

struct Route {
  std::string host;  // may begin with "*."
  std::string prefix;
  auto operator<=>(const Route&) const = default;
};

struct StaticDirectory {
  std::string prefix;
  UniqueFd directory;
};

// What the gateways are told of an app.
struct AppFront {
  proto::AppRecord settings;
  UniqueFd gateway_part;  // invalid: all defaults
  std::vector<Route> routes;
  std::vector<StaticDirectory> statics;
};

// What runs in one sandbox: an app, or the apps of one share.  The settings that are the process's own are the first
// one's; the others agree in them (manifest_records.cc).
struct AppSpec : AppFront {
  UniqueFd worker_part;
  std::vector<std::string> touches;  // below the home: files whose touch restarts it
  std::vector<AppFront> others;      // further apps of its share, by name; the first is the app itself

  [[nodiscard]] std::vector<const AppFront*> fronts() const {
    std::vector<const AppFront*> all{this};
    for (const AppFront& other : others) all.push_back(&other);
    return all;
  }
};

// The same apps, whatever is said of them.
[[nodiscard]] bool same_apps(const AppSpec& a, const AppSpec& b);
// The spec of the share that `name` is in, or of the app itself; null when there is none.
[[nodiscard]] const AppSpec* find_spec(const std::map<std::string, AppSpec>& specs, std::string_view name);

// The host file's records.
[[nodiscard]] OrProblem<HostConfiguration> read_host_records(const std::vector<proto::IncomingMessage>& records);

// A tenant file's records, checked against the host and the tenants accepted before it (S22).
[[nodiscard]] OrProblem<TenantEntry> read_tenant_records(const std::string& name,
                                                         const std::vector<proto::IncomingMessage>& records,
                                                         const HostConfiguration& host,
                                                         const TenantIndex& accepted);

// The two halves of what is checked of a tenant beside the shape of its records: who it is, and what it has.
[[nodiscard]] std::optional<Problem> check_ids(const TenantEntry& tenant, const HostConfiguration& host,
                                               const TenantIndex& accepted);
[[nodiscard]] std::optional<Problem> check_scope(const TenantEntry& tenant, const HostConfiguration& host,
                                                 const TenantIndex& accepted);

// The tenant's own, else its plan's, else the host's.
[[nodiscard]] const NetworkAccess& network_of(const TenantEntry& tenant, const HostConfiguration& host);

// The last gate before a process becomes a tenant: numbers that no tenant may have, whatever the registry says.
[[nodiscard]] std::optional<Problem> check_identity(std::uint32_t uid, std::uint32_t gid,
                                                    const HostConfiguration& host);

// A manifest's records (manifest_records.cc), checked against the tenant's plan and domains, by the name of the app or of the
// first app of a share.  Takes the records' descriptors.
[[nodiscard]] OrProblem<std::map<std::string, AppSpec>> read_manifest_records(
    std::vector<proto::IncomingMessage>& records, const TenantEntry& tenant, const HostConfiguration& host);

// [a-z0-9][a-z0-9-]{0,62}
[[nodiscard]] bool is_name(std::string_view text);
// Lower-case labels of letters, digits and inner hyphens, without a final dot; no wildcard.
[[nodiscard]] bool is_host(std::string_view text);
// "" or "/a/b" without dot segments, control bytes, empty segments or a final slash.
[[nodiscard]] bool is_route_prefix(std::string_view text);
// A path below a home: no empty, "." or ".." component.
[[nodiscard]] bool is_path_below(std::string_view text);
// True when one of the domains covers the host of a route ("*.x" needs a wildcard domain).
[[nodiscard]] bool owns_host(const std::vector<Domain>& domains, std::string_view host);

}  // namespace rowhouse::supervisor
