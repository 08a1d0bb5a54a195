#include "config/tenant_schema.h"

#include <set>

#include "config/addresses.h"
#include "config/identities.h"
#include "config/map_reader.h"
#include "config/names.h"
#include "config/paths.h"

namespace rowhouse::config {
namespace {

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

void read_numeric_user(const MapReader& reader, std::string_view name, const Users& users,
                       proto::TenantRecord& tenant) {
  if (reader.find("uid") == nullptr && reader.find("gid") == nullptr && reader.find("home") == nullptr) {
    reader.diagnostics().add(reader.position_of("user"),
                             "the key \"user\" is missing (or \"uid\", \"gid\" and \"home\")");
    return;
  }
  read_id(reader, "uid", tenant.uid);
  read_id(reader, "gid", tenant.gid);
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
  file.tenant.manifest = proto::Path::cut("rowhouse.yaml");
  reader.text("manifest", parse_relative_path, file.tenant.manifest);
  if (file.tenant.manifest.view() == ".") {
    diagnostics.add(reader.position_of("manifest"),
                    "\"manifest\" must be a file below the home, not the home");
  }
  return file;
}

}  // namespace rowhouse::config
