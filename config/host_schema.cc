#include "config/host_schema.h"

#include <sys/un.h>

#include <algorithm>
#include <array>

#include "config/addresses.h"
#include "config/identities.h"
#include "config/map_reader.h"
#include "config/names.h"
#include "config/paths.h"
#include "config/plan_schema.h"
#include "config/ranges.h"

namespace rowhouse::config {
namespace {

constexpr std::size_t kMaxSocketPathBytes = sizeof(sockaddr_un::sun_path) - 1;

void read_listen(const Node& node, HostFile& file, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"listen\"", kMaxListeners, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const MapReader reader(item, kListenTable, diagnostics);
    // An entry with another key has its sentence already.
    if (reader.find("http") == nullptr && !item.keys.empty()) continue;
    if (reader.require("http") == nullptr) continue;
    auto listen = reader.parsed("http", parse_listen_address);
    if (!listen) continue;
    reader.flag("proxy_protocol", listen->proxy_protocol);
    const bool taken = std::any_of(file.listeners.begin(), file.listeners.end(), [&](const auto& other) {
      return other.ipv6 == listen->ipv6 && other.address == listen->address && other.port == listen->port &&
             other.path == listen->path;
    });
    if (taken) diagnostics.add(reader.position_of("http"), "\"http\" has an address that is listed twice");
    file.listeners.push_back(*listen);
  }
}

// The user under `key`, or the default; a default that this host lacks is reported where the key would stand.
Identity read_service_user(const MapReader& reader, std::string_view subject, std::string_view fallback,
                           Position missing, const Users& users) {
  Diagnostics& diagnostics = reader.diagnostics();
  const Node* node = reader.find("user");
  const auto identity = node != nullptr
                            ? read_identity(*node, subject, users, diagnostics)
                            : find_default_identity(fallback, subject, missing, users, diagnostics);
  return identity.value_or(Identity{});
}

void read_trusted_proxies(const Node& node, HostFile& file, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"trusted_proxies\"", kMaxTrustedProxies, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const auto proxy = read_parsed(item, "\"trusted_proxies\"", diagnostics, parse_trusted_proxy);
    if (proxy) file.trusted_proxies.push_back(*proxy);
  }
}

Parsed<std::string> parse_plain_host(std::string_view text) {
  if (text.starts_with("*.")) return Problem{"must be one host, without \"*\""};
  return parse_host(text);
}

// Which fields a trusted proxy sets.
Parsed<bool> parse_forwarded(std::string_view text) {
  if (text == "x-forwarded" || text == "rfc7239") return text == "rfc7239";
  return Problem{"must be \"x-forwarded\" or \"rfc7239\""};
}

void read_gateway(const Node& node, const Users& users, HostFile& file, Diagnostics& diagnostics) {
  const MapReader reader(node, kGatewayTable, diagnostics);
  proto::HostRecord& host = file.host;
  reader.text("default_site", parse_plain_host, file.gateway.default_site);
  reader.text("acme_challenge", parse_absolute_path, file.gateway.acme_challenge);
  reader.flag("penalties", file.gateway.penalties);
  if (const auto fields = reader.parsed("forwarded", parse_forwarded)) file.gateway.forwarded = *fields;
  if (const Node* proxies = reader.find("trusted_proxies")) read_trusted_proxies(*proxies, file, diagnostics);
  const Node* processes = reader.find("processes");
  const bool automatic = processes != nullptr && processes->text == "auto";
  if (!automatic) reader.whole("processes", kGatewayProcesses, host.gateway_processes);
  reader.whole("connections_per_address", kConnectionsPerAddress, host.connections_per_address);
  const Identity user =
      read_service_user(reader, "gateway's \"user\"", "rowhouse-gateway", node.position, users);
  host.gateway_uid = user.uid;
  host.gateway_gid = user.gid;
}

void read_admins(const Node* node, const Users& users, HostFile& file, Diagnostics& diagnostics) {
  if (node == nullptr) {
    file.admins.push_back(proto::AdminRecord{});  // root
    return;
  }
  const auto* items = read_list(*node, "\"admins\"", kMaxAdmins, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const auto uid = read_admin(item, "\"admins\"", users, diagnostics);
    if (uid) file.admins.push_back(proto::AdminRecord{*uid});
  }
}

// REQUIRES: gateway and directories have been read; the socket's default is in directories.run.
void read_control(const Node& node, const Users& users, HostFile& file, Diagnostics& diagnostics) {
  const MapReader reader(node, kControlTable, diagnostics);
  file.host.control_socket = proto::Path::cut(file.host.run.str() + "/control.sock");
  reader.text("socket", parse_absolute_path, file.host.control_socket);
  if (file.host.control_socket.view().size() > kMaxSocketPathBytes) {
    diagnostics.add(
        reader.position_of("socket"),
        "\"socket\" must have at most " + std::to_string(kMaxSocketPathBytes) + " bytes (unix(7))");
  }
  const Identity user =
      read_service_user(reader, "control's \"user\"", "rowhouse-control", node.position, users);
  if (user.uid != 0 && user.uid == file.host.gateway_uid) {
    // Programs of one uid may trace each other, and the gateway meets the internet.
    diagnostics.add(reader.position_of("user"), "control's \"user\" must not be gateway's \"user\"");
  }
  file.host.control_uid = user.uid;
  file.host.control_gid = user.gid;
  read_admins(reader.find("admins"), users, file, diagnostics);
}

void read_directories(const Node& node, proto::HostRecord& host, Diagnostics& diagnostics) {
  const MapReader reader(node, kDirectoriesTable, diagnostics);
  const std::array<proto::Path*, 4> paths{&host.tenants, &host.state, &host.run, &host.logs};
  for (std::size_t i = 0; i < paths.size(); ++i)
    reader.text(keys::kDirectories[i], parse_absolute_path, *paths[i]);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!(*paths[i] == *paths[j])) continue;
      diagnostics.add(
          reader.position_of(keys::kDirectories[i]),
          quote(keys::kDirectories[i]) + " must not be the directory of " + quote(keys::kDirectories[j]));
    }
  }
}

void read_isolation(const Node& node, HostFile& file, Diagnostics& diagnostics) {
  const MapReader reader(node, kIsolationTable, diagnostics);
  reader.flag("strict", file.host.strict);
  file.network = read_network(reader).value_or(Network{});
}

void read_cgroup(const Node& node, proto::HostRecord& host, Diagnostics& diagnostics) {
  const MapReader reader(node, kCgroupTable, diagnostics);
  const Node* parent = reader.find("parent");
  if (parent != nullptr && parent->text == "auto") return;
  reader.text("parent", parse_absolute_path, host.cgroup_parent);
}

void read_pythons(const Node& node, HostFile& file, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"pythons\"", kMaxPythons, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const auto version = read_parsed(item, "\"pythons\"", diagnostics, parse_python_version);
    if (!version) continue;
    const proto::PythonRecord record{proto::Text<15>::cut(*version)};
    const bool taken = std::any_of(file.pythons.begin(), file.pythons.end(),
                                   [&](const auto& other) { return other.version == record.version; });
    if (taken) diagnostics.add(item.position, "\"pythons\" lists " + quote(*version) + " twice");
    file.pythons.push_back(record);
  }
}

void read_privileged_groups(const Users& users, HostFile& file, Diagnostics& diagnostics) {
  const Result<std::vector<Group>> groups = users.privileged_groups();
  if (!groups.ok()) {
    diagnostics.add({}, "the host's groups cannot be looked up: " + describe(groups.error()));
    return;
  }
  for (const Group& group : groups.value()) {
    file.privileged_groups.push_back({group.gid, proto::Name::cut(group.name)});
  }
}

}  // namespace

HostFile read_host_file(const Node& root, const Users& users, Diagnostics& diagnostics) {
  HostFile file;
  proto::HostRecord& host = file.host;
  host.tenants = proto::Path::cut("/etc/rowhouse/tenants.d");
  host.state = proto::Path::cut("/var/lib/rowhouse");
  host.run = proto::Path::cut("/run/rowhouse");
  host.logs = proto::Path::cut("/var/log/rowhouse");
  const MapReader reader(root, kHostTable, diagnostics);
  if (root.kind != NodeKind::kMap) return file;

  // A map that is left out is read as an empty one that stands where the file begins.
  Node empty;
  empty.kind = NodeKind::kMap;
  empty.position = root.position;
  const auto part = [&](std::string_view key) -> const Node& {
    const Node* node = reader.find(key);
    return node != nullptr ? *node : empty;
  };
  if (const Node* listen = reader.require("listen")) read_listen(*listen, file, diagnostics);
  read_gateway(part("gateway"), users, file, diagnostics);
  read_directories(part("directories"), host, diagnostics);
  read_control(part("control"), users, file, diagnostics);
  MapReader(part("uids"), kUidsTable, diagnostics).whole("min", kUidMin, host.uid_min);
  read_isolation(part("isolation"), file, diagnostics);
  read_cgroup(part("cgroup"), host, diagnostics);
  if (const Node* pythons = reader.find("pythons")) read_pythons(*pythons, file, diagnostics);
  if (const Node* plans = reader.require("plans")) file.plans = read_plans(*plans, kMaxPlans, diagnostics);
  read_privileged_groups(users, file, diagnostics);
  return file;
}

}  // namespace rowhouse::config
