// What a sandbox shares of the host's network: its records, checked; and the directories of the UNIX sockets
// that it may see.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/loader_messages.h"

namespace rowhouse::supervisor {

struct NetworkAccess {
  proto::NetworkMode mode = proto::NetworkMode::kHost;
  std::vector<std::string> sockets;  // absolute paths
  std::vector<std::uint16_t> ports;  // to connect to by TCP; none: all
  bool operator==(const NetworkAccess&) const = default;
};

[[nodiscard]] bool is_network_record(proto::MessageType type);

// Adds one record to the network of what came before it; false when it cannot be right.  `slot` is null when
// nothing came before.
[[nodiscard]] bool take_network_record(const proto::IncomingMessage& record,
                                       std::optional<NetworkAccess>* slot);

// The directories of the sockets, each once, as detached mounts.  The error names the directory.
struct SocketDirectory {
  std::string path;
  UniqueFd mount;
};
[[nodiscard]] Result<std::vector<SocketDirectory>> open_socket_directories(const NetworkAccess& network,
                                                                           std::string& problem);

// A detached mount (open_tree(2)) of an open file or directory, which a jail can place whatever the way to it
// looks like from the tenant.
[[nodiscard]] Result<UniqueFd> detach_mount(int fd);

}  // namespace rowhouse::supervisor
