// Landlock: the file rules once more, held by the kernel apart from the mounts, and scopes that keep signals
// and abstract UNIX sockets inside.  The numbers are the kernel's (Documentation/userspace-api/landlock.rst),
// given here because the headers of Debian 12 end at ABI 2.  The right to connect by TCP is handled only
// where the plan lists ports: handled without a rule it would forbid all TCP.
#include "supervisor/jail/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "supervisor/jail/steps.h"

namespace rowhouse::jail {
namespace {

constexpr std::uint64_t kScopeAbstractSockets = 1, kScopeSignals = 2;
constexpr std::uint64_t kConnectTcp = 2;
constexpr int kFirstAbiWithNetwork = 4;
constexpr int kFirstAbiWithScopes = 6;
constexpr unsigned kVersionFlag = 1;
constexpr int kRulePathBeneath = 1;
constexpr int kRulePort = 2;

struct RulesetAttributes {
  std::uint64_t file_rights;
  std::uint64_t network_rights;
  std::uint64_t scopes;
};

struct [[gnu::packed]] PathRule {
  std::uint64_t rights;
  std::int32_t directory;
};

struct PortRule {
  std::uint64_t rights;
  std::uint64_t port;
};

class Ruleset {
 public:
  Ruleset(UniqueFd fd, std::uint64_t handled) : fd_(std::move(fd)), handled_(handled) {}

  // Grants `rights` (those that this kernel knows) at and below `path`.
  Status allow(const char* path, std::uint64_t rights) const {
    const UniqueFd at(::open(path, O_PATH | O_CLOEXEC));
    if (!at.valid()) return system_error("open landlock path");
    struct stat status {};
    if (::fstat(at.get(), &status) != 0) return system_error("fstat landlock path");
    if (!S_ISDIR(status.st_mode)) rights &= kFileOnlyRights;
    const PathRule rule{rights & handled_, at.get()};
    if (::syscall(SYS_landlock_add_rule, fd_.get(), kRulePathBeneath, &rule, 0) != 0) {
      return system_error("landlock_add_rule");
    }
    return {};
  }
  Status allow_connecting(std::uint16_t port) const {
    const PortRule rule{kConnectTcp, port};
    if (::syscall(SYS_landlock_add_rule, fd_.get(), kRulePort, &rule, 0) != 0) {
      return system_error("landlock_add_rule port");
    }
    return {};
  }
  Status enforce() const {
    if (::syscall(SYS_landlock_restrict_self, fd_.get(), 0) != 0)
      return system_error("landlock_restrict_self");
    return {};
  }

 private:
  UniqueFd fd_;
  std::uint64_t handled_;
};

// 0 when this kernel has no Landlock or it is switched off.
Result<int> landlock_abi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag);
  if (abi >= 0) return static_cast<int>(abi);
  if (errno == ENOSYS || errno == EOPNOTSUPP) return 0;
  return system_error("landlock_create_ruleset version");
}

Result<Ruleset> create_ruleset(int abi, std::uint64_t network_rights) {
  const std::uint64_t handled = handled_rights(abi);
  RulesetAttributes attributes{handled, network_rights, kScopeAbstractSockets | kScopeSignals};
  std::size_t size = sizeof attributes;
  if (abi < kFirstAbiWithScopes) size = offsetof(RulesetAttributes, scopes);
  if (abi < kFirstAbiWithNetwork) size = offsetof(RulesetAttributes, network_rights);
  UniqueFd fd(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!fd.valid()) return system_error("landlock_create_ruleset");
  return Ruleset(std::move(fd), handled);
}

Status allow_paths(const Ruleset& rules, const SandboxRequest& request) {
  // "/" holds nothing but what this sandbox was given, so its directories may be listed.
  RH_TRY(rules.allow("/", kListRights));
  for (const char* path : {"/usr", "/etc", "/proc", "/.rowhouse"}) RH_TRY(rules.allow(path, kReadRights));
  // Hosts without a merged /usr have libraries here; on others these are links to what is allowed already.
  for (const char* path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}) {
    if (::access(path, F_OK) == 0) RH_TRY(rules.allow(path, kReadRights));
  }
  for (const ReceivedMount& mount : request.mounts)
    RH_TRY(rules.allow(mount.path.str().c_str(), kReadRights));
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    RH_TRY(rules.allow(path, kDeviceRights));
  }
  for (const char* path : {"/tmp", "/var/tmp", "/dev/shm"}) RH_TRY(rules.allow(path, kWriteRights));
  return rules.allow(request.setup.home.str().c_str(), kWriteRights);
}

std::uint32_t missing_landlock_walls(int abi, const std::vector<std::uint16_t>& ports) {
  std::uint32_t missing = 0;
  if (abi == 0) missing |= static_cast<std::uint32_t>(proto::Wall::kLandlock);
  if (abi < kFirstAbiWithScopes) missing |= static_cast<std::uint32_t>(proto::Wall::kLandlockScopes);
  if (abi < kFirstAbiWithNetwork && !ports.empty())
    missing |= static_cast<std::uint32_t>(proto::Wall::kConnectPorts);
  return missing;
}

}  // namespace

Result<std::uint32_t> apply_landlock(const SandboxRequest& request) {
  RH_ASSIGN(const int abi, landlock_abi());
  const std::uint32_t missing = missing_landlock_walls(abi, request.ports);
  if (abi == 0) return missing;
  const bool limits_ports = !request.ports.empty() && abi >= kFirstAbiWithNetwork;
  RH_ASSIGN(const Ruleset rules, create_ruleset(abi, limits_ports ? kConnectTcp : 0));
  RH_TRY(allow_paths(rules, request));
  if (limits_ports) {
    for (const std::uint16_t port : request.ports) RH_TRY(rules.allow_connecting(port));
  }
  RH_TRY(rules.enforce());
  return missing;
}

}  // namespace rowhouse::jail
