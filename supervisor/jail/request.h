// What the supervisor asks a jail to build, received over the control socket and checked.  Everything here
// was checked by the supervisor before; this is the second, independent look (THREATS S22).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/jail_messages.h"

namespace rowhouse::jail {

// The worker program, the Python prefixes and the directories of allowed sockets.
inline constexpr std::size_t kMaxReceivedMounts = 8;

struct ReceivedMount {
  UniqueFd tree;  // detached, from open_tree(2)
  proto::Path path;
};

struct SandboxRequest {
  proto::JailSetup setup;
  std::vector<ReceivedMount> mounts;  // the first is the worker program
  std::vector<std::uint16_t> ports;   // that may be connected to by TCP; none: all
  std::vector<std::string> touches;   // absolute: files that the steward looks at
};

// Waits for JailMount, JailPort and JailWatch messages and the JailSetup that ends them.  kClosed when the supervisor has gone.
Result<SandboxRequest> receive_request(int control);

// kInvalid unless the request names a tenant we may become and limits that limit: an id of 0 or of a reserved
// number, a tmpfs without a size, a name that would break /etc/passwd, a home among the system's own
// directories are all refused.
Status check_setup(const proto::JailSetup& setup);
Status check_mount_path(std::string_view path);
// kInvalid unless the path is in normal form and below the home.
Status check_touch_path(std::string_view path, std::string_view home);

}  // namespace rowhouse::jail
