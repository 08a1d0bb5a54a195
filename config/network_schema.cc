#include "config/network_schema.h"

#include <algorithm>
#include <array>

#include "config/paths.h"
#include "config/ranges.h"

namespace rowhouse::config {
namespace {

// Directories that a sandbox has of its own, or that hold much besides sockets.
constexpr std::array<std::string_view, 10> kClosedDirectories = {
    "/etc", "/usr", "/proc", "/sys", "/dev", "/tmp", "/var/tmp", "/home", "/root", "/.rowhouse"};

bool is_within(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

Parsed<proto::NetworkMode> parse_mode(std::string_view text) {
  if (text == "host") return proto::NetworkMode::kHost;
  if (text == "private") return proto::NetworkMode::kPrivate;
  return Problem{"must be host or private, not " + quote(text)};
}

void read_sockets(const Node& node, Network& network, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"sockets\"", proto::kMaxSocketsPerNetwork, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const auto path = read_parsed(item, "\"sockets\"", diagnostics, parse_socket_path);
    if (!path) continue;
    const proto::SocketRecord record{proto::Path::cut(*path)};
    const bool taken = std::any_of(network.sockets.begin(), network.sockets.end(),
                                   [&](const auto& other) { return other.path == record.path; });
    if (taken) diagnostics.add(item.position, "\"sockets\" lists " + quote(*path) + " twice");
    network.sockets.push_back(record);
  }
}

void read_ports(const Node& node, Network& network, Diagnostics& diagnostics) {
  const auto* items = read_list(node, "\"connect\"", proto::kMaxPortsPerNetwork, diagnostics);
  if (items == nullptr) return;
  for (const Node& item : *items) {
    const auto port = read_whole(item, "\"connect\"", kPort, diagnostics);
    if (!port) continue;
    const proto::PortRecord record{static_cast<std::uint16_t>(*port)};
    const bool taken = std::any_of(network.ports.begin(), network.ports.end(),
                                   [&](const auto& other) { return other.port == record.port; });
    if (taken) diagnostics.add(item.position, "\"connect\" lists " + std::to_string(*port) + " twice");
    network.ports.push_back(record);
  }
}

}  // namespace

Parsed<std::string> parse_socket_path(std::string_view text) {
  Parsed<std::string> path = parse_absolute_path(text);
  if (!path.ok()) return path;
  const std::string& found = path.value();
  if (is_within(found, "/var/run")) {
    return Problem{"must be written with its real path, /run" + found.substr(sizeof "/var/run" - 1)};
  }
  if (std::count(found.begin(), found.end(), '/') < 3) {
    return Problem{
        "must be in a directory of its own, such as \"/run/mysqld/mysqld.sock\": that directory is shown"};
  }
  for (const std::string_view closed : kClosedDirectories) {
    if (is_within(found, closed)) return Problem{"must not be below " + std::string(closed)};
  }
  if (found.size() > proto::kMaxPathBytes) return Problem{"is too long"};
  return path;
}

std::optional<Network> read_network(const MapReader& parent) {
  const Node* node = parent.find("network");
  if (node == nullptr) return std::nullopt;
  Network network;
  if (node->kind != NodeKind::kMap) {
    if (const auto mode = parent.parsed("network", parse_mode)) network.record.mode = *mode;
    return network;
  }
  const MapReader reader(*node, kNetworkTable, parent.diagnostics());
  if (reader.require("mode") == nullptr) return network;
  if (const auto mode = reader.parsed("mode", parse_mode)) network.record.mode = *mode;
  if (const Node* sockets = reader.find("sockets")) read_sockets(*sockets, network, reader.diagnostics());
  if (const Node* ports = reader.find("connect")) {
    if (network.record.mode == proto::NetworkMode::kPrivate) {
      reader.diagnostics().add(reader.position_of("connect"),
                               "\"connect\" is for mode host: from a private network no port can be reached");
    }
    read_ports(*ports, network, reader.diagnostics());
  }
  return network;
}

}  // namespace rowhouse::config
