#include "config/tenant_schema.h"

#include <algorithm>
#include <set>

#include "config/addresses.h"
#include "config/identities.h"
#include "config/map_reader.h"
#include "config/names.h"
#include "config/paths.h"

namespace rowhouse::config {
namespace {

std::string number(std::uint32_t value) {
  return std::to_string(value);
}

// Says which one it is; empty when the gid is no group with power over the host.
std::string privileged_group_problem(std::uint32_t gid, const Users& users) {
  const Result<std::vector<Group>> groups = users.privileged_groups();
  if (!groups.ok()) return "";  // the supervisor has the list from the host file's loader and checks again
  for (const Group& group : groups.value()) {
    if (group.gid == gid) return number(gid) + ", the group " + quote(group.name) + " of the host";
  }
  return "";
}

// A uid with a group that is not its own (THREATS A09).  Ids that the host's databases do not know may be
// any.
std::string foreign_group_problem(std::uint32_t uid, std::uint32_t gid, const Users& users) {
  const Result<std::optional<User>> user = users.find_uid(uid);
  if (user.ok() && user.value()) {
    if (user.value()->gid == gid) return "";
    return "must be " + number(user.value()->gid) + ", the group of uid " + number(uid) + " (user " +
           quote(user.value()->name) + "), not " + number(gid);
  }
  const Result<std::optional<Group>> group = users.find_gid(gid);
  if (!group.ok() || !group.value()) return "";
  const Result<std::optional<User>> namesake = users.find_name(group.value()->name);
  if (!namesake.ok() || !namesake.value() || namesake.value()->gid != gid) return "";
  return "must not be " + number(gid) + ", the group of user " + quote(namesake.value()->name);
}

void read_named_user(const MapReader& reader, const Node& node, const Users& users,
                     proto::TenantRecord& tenant) {
  Diagnostics& diagnostics = reader.diagnostics();
  for (const std::string_view key : {"uid", "gid", "home"}) {
    if (reader.find(key) == nullptr) continue;
    diagnostics.add(reader.position_of(key), quote(key) + " cannot be given together with \"user\"");
  }
  const auto user = read_user_name(node, "\"user\"", users, diagnostics);
  if (!user) return;
  for (const auto& [noun, id] : {std::pair("uid ", user->uid), std::pair("gid ", user->gid)}) {
    const std::string problem = reserved_id_problem(id);
    if (!problem.empty()) diagnostics.add(node.position, "\"user\" has the " + (noun + problem));
  }
  const std::string privileged = privileged_group_problem(user->gid, users);
  if (!privileged.empty() && reserved_id_problem(user->gid).empty()) {
    diagnostics.add(node.position, "\"user\" has the gid " + privileged);
  }
  const Parsed<std::string> home = parse_absolute_path(user->home);
  if (!home.ok()) diagnostics.add(node.position, "the home of \"user\" " + home.problem());
  tenant.user = proto::Name::cut(user->name);
  tenant.uid = user->uid;
  tenant.gid = user->gid;
  tenant.home = proto::Path::cut(home.ok() ? home.value() : "");
}

void read_id(const MapReader& reader, std::string_view key, std::uint32_t& into) {
  if (reader.require(key) == nullptr) return;
  std::uint32_t id = UINT32_MAX - 1;
  reader.whole(key, {0, UINT32_MAX}, id);
  const std::string problem = reserved_id_problem(id);
  if (!problem.empty())
    reader.diagnostics().add(reader.position_of(key), quote(key) + " must not be " + problem);
  into = id;
}

void check_groups(const MapReader& reader, const Users& users, const proto::TenantRecord& tenant) {
  if (reader.find("uid") == nullptr || reader.find("gid") == nullptr) return;
  if (!reserved_id_problem(tenant.uid).empty() || !reserved_id_problem(tenant.gid).empty()) return;
  const std::string privileged = privileged_group_problem(tenant.gid, users);
  const std::string foreign = foreign_group_problem(tenant.uid, tenant.gid, users);
  if (!privileged.empty()) {
    reader.diagnostics().add(reader.position_of("gid"), "\"gid\" must not be " + privileged);
  } else if (!foreign.empty()) {
    reader.diagnostics().add(reader.position_of("gid"), "\"gid\" " + foreign);
  }
}

void read_numeric_user(const MapReader& reader, std::string_view name, const Users& users,
                       proto::TenantRecord& tenant) {
  if (reader.find("uid") == nullptr && reader.find("gid") == nullptr && reader.find("home") == nullptr) {
    reader.diagnostics().add(reader.position_of("user"),
                             "the key \"user\" is missing (or \"uid\", \"gid\" and \"home\")");
    return;
  }
  read_id(reader, "uid", tenant.uid);
  read_id(reader, "gid", tenant.gid);
  check_groups(reader, users, tenant);
  if (reader.require("home") != nullptr) reader.text("home", parse_absolute_path, tenant.home);
  // A database that cannot be asked costs only the name: the numbers are the tenant.
  const Result<std::optional<User>> found = users.find_uid(tenant.uid);
  const bool named = found.ok() && found.value() && found.value()->name.size() <= proto::kMaxNameBytes;
  tenant.user = proto::Name::cut(named ? std::string_view(found.value()->name) : name);
}

void read_domains(const Node& node, std::vector<proto::DomainRecord>& domains, Diagnostics& diagnostics) {
  if (node.kind == NodeKind::kSequence && node.children.empty()) return;  // a tenant that has no domain yet
  const auto* items = read_list(node, "\"domains\"", proto::kMaxDomainsPerTenant, diagnostics);
  if (items == nullptr) return;
  std::set<std::string> seen;
  for (const Node& item : *items) {
    const auto domain = read_parsed(item, "\"domains\"", diagnostics, parse_domain);
    if (!domain) continue;
    if (!seen.insert(item.text).second) {
      diagnostics.add(item.position, "\"domains\" lists " + quote(item.text) + " twice");
    }
    domains.push_back(*domain);
  }
}

Parsed<std::string> parse_reason(std::string_view text) {
  const bool plain = std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!plain) return Problem{"must be one line without control characters"};
  return std::string(text);
}

// One record for each app of the list.
void read_suspended_apps(const Node& node, TenantFile& file, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"suspended.apps\"", proto::kMaxAppsPerTenant, diagnostics);
  if (items == nullptr) return;
  const proto::SuspensionRecord of_all = file.suspensions.front();
  file.suspensions.clear();
  std::set<std::string> seen;
  for (const Node& item : *items) {
    const auto name = read_parsed(item, "\"suspended.apps\"", diagnostics, parse_name);
    if (!name) continue;
    if (!seen.insert(item.text).second) {
      diagnostics.add(item.position, "\"suspended.apps\" lists " + quote(item.text) + " twice");
    }
    file.suspensions.push_back({proto::Name::cut(*name), of_all.reason});
  }
}

// true, false, or { reason: TEXT, apps: [NAME, ...] }.
void read_suspension(const Node& node, TenantFile& file, Diagnostics& diagnostics) {
  if (node.kind != NodeKind::kMap) {
    const auto suspended = read_flag(node, "\"suspended\", where it is no map { reason: TEXT },", diagnostics);
    if (suspended && *suspended) file.suspensions.emplace_back();
    return;
  }
  const MapReader reader(node, kSuspendedTable, diagnostics);
  proto::SuspensionRecord& suspension = file.suspensions.emplace_back();
  if (reader.require("reason") != nullptr) reader.text("reason", parse_reason, suspension.reason);
  if (const Node* apps = reader.find("apps")) read_suspended_apps(*apps, file, diagnostics);
}

}  // namespace

TenantFile read_tenant_file(const Node& root, std::string_view name, const Users& users,
                            Diagnostics& diagnostics) {
  TenantFile file;
  const MapReader reader(root, kTenantTable, diagnostics);
  if (root.kind != NodeKind::kMap) return file;
  if (const Node* user = reader.find("user")) {
    read_named_user(reader, *user, users, file.tenant);
  } else {
    read_numeric_user(reader, name, users, file.tenant);
  }
  if (reader.require("plan") != nullptr) reader.text("plan", parse_name, file.tenant.plan);
  if (const Node* domains = reader.find("domains")) read_domains(*domains, file.domains, diagnostics);
  file.network = read_network(reader);
  if (const Node* suspended = reader.find("suspended")) read_suspension(*suspended, file, diagnostics);
  file.tenant.manifest = proto::Path::cut("rowhouse.yaml");
  reader.text("manifest", parse_relative_path, file.tenant.manifest);
  if (file.tenant.manifest.view() == ".") {
    diagnostics.add(reader.position_of("manifest"),
                    "\"manifest\" must be a file below the home, not the home");
  }
  return file;
}

}  // namespace rowhouse::config
