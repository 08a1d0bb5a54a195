// The names of the sandbox in its UTS and network namespaces.
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "supervisor/jail/steps.h"

namespace rowhouse::jail {
namespace {

Status start_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return system_error("socket");
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return system_error("ioctl SIOCGIFFLAGS lo");
  // In a new network namespace the loopback is down.  One that is up belongs to somebody else, and the wall
  // that the operator asked for would not be there.
  if ((request.ifr_flags & IFF_UP) != 0)
    return make_error(ErrorCode::kInvalid, "network namespace is not new");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return system_error("ioctl SIOCSIFFLAGS lo");
  return {};
}

}  // namespace

Status set_names(const proto::JailSetup& setup) {
  const std::string_view name = setup.tenant.view();
  if (::sethostname(name.data(), name.size()) != 0) return system_error("sethostname");
  if (setup.network == proto::NetworkMode::kPrivate) return start_loopback();
  return {};
}

}  // namespace rowhouse::jail
