// The host's directories and the sockets in them.  Root trusts a path only when every component is owned by root
// and not writable by others, sticky ones excepted (the rule of OpenSSH's safe_path).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

// Opens a directory on a trusted path.  `problem` gets the component that cannot be trusted.
Result<UniqueFd> open_trusted_directory(const std::string& path, std::string& problem);
// The same, and makes the last component when it is missing, with `mode`, owned by root.
Result<UniqueFd> make_trusted_directory(const std::string& path, unsigned mode, std::string& problem);
// Opens a file for reading in a trusted directory.
Result<UniqueFd> open_trusted_file(const std::string& path, std::string& problem);

struct HostDirectories {
  UniqueFd tenants, state, run, logs;
  UniqueFd empty;  // without a name and for good, for the gateways' root
  UniqueFd spool;  // below state, the gateways' own
  UniqueFd usage;  // below state, control's own
};
// Opens or makes all; locks `run` so that a second rowhoused refuses to start.
Result<HostDirectories> open_host_directories(const HostConfiguration& host, std::string& problem);

// Opens or makes the directory of the usage database below the state directory; it is control's own.
Result<UniqueFd> open_usage_directory(int state, const proto::HostRecord& host, std::string& problem);

// Names of the files NAME.yaml in the directory, without the ending, sorted.
Result<std::vector<std::string>> list_tenant_files(int directory);

// A listening UNIX socket, connectable for everybody; a stale one is replaced.
Result<UniqueFd> open_unix_socket(const std::string& path, int backlog, std::string& problem);
// A listening socket; `problem` names the address.
Result<UniqueFd> open_listener(const proto::ListenRecord& listen, std::string& problem);
// Whether the socket has this address.
[[nodiscard]] bool is_bound_to(int socket, const proto::ListenRecord& listen);
// The API's listening socket, connectable for everybody; a stale one is replaced.
Result<UniqueFd> open_control_socket(const std::string& path, std::string& problem);

}  // namespace rowhouse::supervisor
