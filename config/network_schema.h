// `network:` of the host file's isolation, of a plan and of a tenant file: what a sandbox shares of the
// host's network.  A tenant's own takes the place of its plan's as a whole, a plan's that of the host's.
#pragma once

#include <optional>
#include <vector>

#include "config/map_reader.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

struct Network {
  proto::NetworkRecord record;
  std::vector<proto::SocketRecord> sockets;
  std::vector<proto::PortRecord> ports;
};

// The key "network" of the map, as one word (`host`, `private`) or as a map of mode, sockets and connect;
// nothing when the key is missing.
[[nodiscard]] std::optional<Network> read_network(const MapReader& reader);

// A UNIX socket of the host's in a directory of its own ("/run/mysqld/mysqld.sock"), in one form.
[[nodiscard]] Parsed<std::string> parse_socket_path(std::string_view text);

}  // namespace rowhouse::config
