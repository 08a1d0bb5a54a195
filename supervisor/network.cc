#include "supervisor/network.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

using proto::MessageType;

bool is_plain_absolute(std::string_view path) {
  return path.size() > 1 && path.front() == '/' && !path.ends_with('/') &&
         path.find('\0') == std::string_view::npos && path.find("/../") == std::string_view::npos &&
         !path.ends_with("/..") && path.find("//") == std::string_view::npos;
}

// No link on the way: what is shown is what the operator wrote.
Result<UniqueFd> open_directory(const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  UniqueFd directory(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!directory.valid()) return system_error("openat2 directory of an allowed socket");
  return directory;
}

}  // namespace

bool is_network_record(MessageType type) {
  return type == MessageType::kNetworkRecord || type == MessageType::kSocketRecord ||
         type == MessageType::kPortRecord;
}

bool take_network_record(const proto::IncomingMessage& record, std::optional<NetworkAccess>* slot) {
  if (slot == nullptr) return false;
  if (record.type == MessageType::kNetworkRecord) {
    const auto network = proto::decode_message<proto::NetworkRecord>(record);
    if (!network.ok() || slot->has_value()) return false;
    *slot = NetworkAccess{network.value().mode, {}, {}};
    return true;
  }
  if (!slot->has_value()) return false;
  NetworkAccess& network = **slot;
  if (record.type == MessageType::kSocketRecord) {
    const auto socket = proto::decode_message<proto::SocketRecord>(record);
    if (!socket.ok() || network.sockets.size() >= proto::kMaxSocketsPerNetwork) return false;
    if (!is_plain_absolute(socket.value().path.view())) return false;
    network.sockets.push_back(socket.value().path.str());
    return true;
  }
  const auto port = proto::decode_message<proto::PortRecord>(record);
  if (!port.ok() || network.ports.size() >= proto::kMaxPortsPerNetwork) return false;
  if (port.value().port == 0 || network.mode != proto::NetworkMode::kHost) return false;
  network.ports.push_back(port.value().port);
  return true;
}

Result<UniqueFd> detach_mount(int fd) {
  UniqueFd mount(static_cast<int>(
      ::syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH)));
  if (!mount.valid()) return system_error("open_tree");
  return mount;
}

Result<std::vector<SocketDirectory>> open_socket_directories(const NetworkAccess& network,
                                                             std::string& problem) {
  std::vector<SocketDirectory> directories;
  for (const std::string& socket : network.sockets) {
    const std::string path = socket.substr(0, socket.rfind('/'));
    const bool known = std::any_of(directories.begin(), directories.end(),
                                   [&](const SocketDirectory& directory) { return directory.path == path; });
    if (known) continue;
    problem = "the directory of the allowed socket " + socket + " cannot be shown to the sandbox";
    RH_ASSIGN(const UniqueFd directory, open_directory(path));
    RH_ASSIGN(UniqueFd mount, detach_mount(directory.get()));
    directories.push_back({path, std::move(mount)});
  }
  return directories;
}

}  // namespace rowhouse::supervisor
