#include "supervisor/directories.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <sstream>

#include "base/listing.h"
#include "base/trusted_path.h"

namespace rowhouse::supervisor {
namespace {

constexpr int kListenBacklog = 4096;
constexpr int kControlBacklog = 512;
constexpr std::string_view kTenantEnding = ".yaml";

bool is_trusted(int directory) {
  struct stat status {};
  return ::fstat(directory, &status) == 0 && is_trusted_directory(status.st_uid, status.st_mode);
}

constexpr unsigned kDoNotMake = 0;

Result<UniqueFd> walk(const std::string& path, unsigned mode_of_last, std::string& problem) {
  problem = "\"" + path + "\" must be an absolute path";
  if (!path.starts_with('/')) return make_error(ErrorCode::kInvalid, "directory");
  UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::istringstream components(path.substr(1));
  std::string walked;
  for (std::string name; std::getline(components, name, '/');) {
    if (name.empty()) continue;
    walked += "/" + name;
    const bool last = components.eof() || components.peek() == std::char_traits<char>::eof();
    if (last && mode_of_last != kDoNotMake && ::mkdirat(directory.get(), name.c_str(), mode_of_last) != 0 &&
        errno != EEXIST) {
      problem = "cannot make \"" + walked + "\": " + std::strerror(errno);
      return system_error("mkdirat");
    }
    UniqueFd next(::openat(directory.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!next.valid()) {
      problem = "cannot open the directory \"" + walked + "\": " + std::strerror(errno);
      return system_error("openat directory");
    }
    if (!is_trusted(next.get())) {
      problem = "\"" + walked + "\" must belong to root and not be writable by its group or others";
      return make_error(ErrorCode::kInvalid, "directory");
    }
    directory = std::move(next);
  }
  return directory;
}

sockaddr_storage address_of(const proto::ListenRecord& listen, socklen_t& length, std::string& text) {
  sockaddr_storage storage{};
  char printed[INET6_ADDRSTRLEN] = {};
  if (listen.ipv6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = htons(listen.port);
    std::memcpy(&address->sin6_addr, listen.address.data(), 16);
    length = sizeof *address;
    ::inet_ntop(AF_INET6, &address->sin6_addr, printed, sizeof printed);
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_port = htons(listen.port);
    std::memcpy(&address->sin_addr, listen.address.data(), 4);
    length = sizeof *address;
    ::inet_ntop(AF_INET, &address->sin_addr, printed, sizeof printed);
  }
  text = listen.ipv6 ? "[" + std::string(printed) + "]" : printed;
  text += ":" + std::to_string(listen.port);
  return storage;
}

}  // namespace

Result<UniqueFd> open_trusted_directory(const std::string& path, std::string& problem) {
  return walk(path, kDoNotMake, problem);
}

Result<UniqueFd> make_trusted_directory(const std::string& path, unsigned mode, std::string& problem) {
  return walk(path, mode, problem);
}

Result<UniqueFd> open_trusted_file(const std::string& path, std::string& problem) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash + 1 == path.size()) {
    problem = "\"" + path + "\" must be an absolute path";
    return make_error(ErrorCode::kInvalid, "file");
  }
  RH_ASSIGN(const UniqueFd directory, walk(slash == 0 ? "/" : path.substr(0, slash), kDoNotMake, problem));
  const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  UniqueFd file(::openat(directory.get(), path.c_str() + slash + 1, flags));
  if (file.valid()) return file;
  problem = "cannot open \"" + path + "\": " + std::strerror(errno);
  return system_error("openat file");
}

namespace {

// A directory of ours and the name of one below it.
struct DirectoryBelow {
  int above = -1;
  std::string path;  // of the one above
  const char* name = "";
  mode_t mode = 0700;
};
struct DirectoryOwner {
  std::uint32_t uid = 0, gid = 0;
  const char* user = "";  // "control"
};

// Makes it where it is missing and gives it away; root never opens anything in it.
Result<UniqueFd> give_directory(const DirectoryBelow& below, const DirectoryOwner& owner, std::string& problem) {
  const std::string path = "\"" + below.path + "/" + below.name + "\"";
  if (::mkdirat(below.above, below.name, below.mode) != 0 && errno != EEXIST) {
    problem = "cannot make " + path + ": " + std::strerror(errno);
    return system_error("mkdirat");
  }
  // O_PATH: only its owner may read it, also when we lack CAP_DAC_OVERRIDE.
  UniqueFd directory(::openat(below.above, below.name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!directory.valid() || ::fchownat(directory.get(), "", owner.uid, owner.gid, AT_EMPTY_PATH) != 0) {
    problem = "cannot give " + path + " to the " + owner.user + " user: " + std::strerror(errno);
    return system_error("fchownat");
  }
  return directory;
}

}  // namespace

Result<UniqueFd> open_usage_directory(int state, const proto::HostRecord& host, std::string& problem) {
  return give_directory({state, host.state.str(), "usage", 0700}, {host.control_uid, host.control_gid, "control"},
                        problem);
}

Result<HostDirectories> open_host_directories(const HostConfiguration& host, std::string& problem) {
  HostDirectories directories;
  const proto::HostRecord& record = host.host;
  RH_ASSIGN(directories.tenants, open_trusted_directory(record.tenants.str(), problem));
  RH_ASSIGN(directories.state, make_trusted_directory(record.state.str(), 0700, problem));
  RH_ASSIGN(directories.run, make_trusted_directory(record.run.str(), 0755, problem));
  RH_ASSIGN(directories.empty, make_trusted_directory(record.run.str() + "/empty", 0555, problem));
  // It lives on without a name, and nobody can ever put anything into it.
  if (::fchmod(directories.empty.get(), 0555) != 0 ||  // the umask may have been stricter
      ::unlinkat(directories.run.get(), "empty", AT_REMOVEDIR) != 0) {
    problem = "cannot prepare \"" + record.run.str() + "/empty\": " + std::strerror(errno);
    return system_error("empty directory");
  }
  RH_ASSIGN(const UniqueFd above_logs, make_trusted_directory(record.logs.str(), 0755, problem));
  RH_ASSIGN(directories.logs, give_directory({above_logs.get(), record.logs.str(), "apps", 0750},
                                             {record.control_uid, record.control_gid, "control"}, problem));
  RH_ASSIGN(directories.spool, give_directory({directories.state.get(), record.state.str(), "spool", 0700},
                                              {record.gateway_uid, record.gateway_gid, "gateway"}, problem));
  RH_ASSIGN(directories.usage, open_usage_directory(directories.state.get(), record, problem));
  if (::flock(directories.run.get(), LOCK_EX | LOCK_NB) != 0) {
    problem = "another rowhoused is running with the run directory \"" + record.run.str() + "\"";
    return system_error("flock");
  }
  return directories;
}

Result<std::vector<std::string>> list_tenant_files(int directory) {
  const Listing listing = open_listing(directory);
  if (listing == nullptr) return system_error("opendir tenants");
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view file = entry->d_name;
    if (file.starts_with('.') || !file.ends_with(kTenantEnding)) continue;
    names.emplace_back(file.substr(0, file.size() - kTenantEnding.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<UniqueFd> open_listener(const proto::ListenRecord& listen, std::string& problem) {
  if (!listen.path.view().empty()) return open_unix_socket(listen.path.str(), kListenBacklog, problem);
  socklen_t length = 0;
  std::string text;
  const sockaddr_storage address = address_of(listen, length, text);
  UniqueFd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  problem = "cannot open a socket for " + text + ": " + std::strerror(errno);
  if (!socket.valid()) return system_error("socket");
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (listen.ipv6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (::bind(socket.get(), generic, length) != 0 || ::listen(socket.get(), kListenBacklog) != 0) {
    problem = "cannot listen on " + text + ": " + std::strerror(errno);
    return system_error("bind");
  }
  return socket;
}

bool is_bound_to(int socket, const proto::ListenRecord& listen) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return false;
  const std::string path = listen.path.str();
  if (!path.empty()) {
    const auto* address = reinterpret_cast<const sockaddr_un*>(&bound);
    return bound.ss_family == AF_UNIX && path.size() < sizeof address->sun_path && address->sun_path == path;
  }
  if (bound.ss_family != (listen.ipv6 ? AF_INET6 : AF_INET)) return false;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&bound);
  if (ntohs(listen.ipv6 ? v6->sin6_port : v4->sin_port) != listen.port) return false;
  return listen.ipv6 ? std::memcmp(&v6->sin6_addr, listen.address.data(), 16) == 0
                     : std::memcmp(&v4->sin_addr, listen.address.data(), 4) == 0;
}

Result<UniqueFd> open_unix_socket(const std::string& path, int backlog, std::string& problem) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  problem = "the socket \"" + path + "\" is longer than " + std::to_string(sizeof address.sun_path - 1) + " bytes";
  if (path.size() >= sizeof address.sun_path) return make_error(ErrorCode::kTooLarge, "socket path");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  RH_ASSIGN(const UniqueFd directory, open_trusted_directory(path.substr(0, path.rfind('/')), problem));
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return system_error("socket");
  // Bound with the mode that it keeps: there is no moment with another one.
  const mode_t before = ::umask(0111);
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  problem = "cannot bind \"" + path + "\": " + std::strerror(errno);
  if (bound != 0 || ::listen(socket.get(), backlog) != 0) return system_error("bind UNIX socket");
  return socket;
}

Result<UniqueFd> open_control_socket(const std::string& path, std::string& problem) {
  return open_unix_socket(path, kControlBacklog, problem);
}

}  // namespace rowhouse::supervisor
