// The proof: the wanted identity is looked at from two sides, and then we try to get root back.  Any doubt is
// fatal.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/files.h"
#include "supervisor/jail/credentials.h"
#include "supervisor/jail/steps.h"

namespace rowhouse::jail {
namespace {

constexpr std::size_t kMaxStatusBytes = 16 * 1024;

Status doubt(const char* what) {
  return Error{ErrorCode::kInvalid, what, EPERM};
}

bool has_ids(const proto::JailSetup& setup) {
  uid_t ruid = 0, euid = 0, suid = 0;
  gid_t rgid = 0, egid = 0, sgid = 0;
  if (::getresuid(&ruid, &euid, &suid) != 0 || ::getresgid(&rgid, &egid, &sgid) != 0) return false;
  return ruid == setup.uid && euid == setup.uid && suid == setup.uid && rgid == setup.gid &&
         egid == setup.gid && sgid == setup.gid && ::getgroups(0, nullptr) == 0;
}

// True when the call failed for want of permission.
bool refused(long result) {
  return result == -1 && errno == EPERM;
}

bool root_is_out_of_reach() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct one{1u << CAP_SETUID, 1u << CAP_SETUID, 0};
  const std::array<__user_cap_data_struct, 2> wanted{one, {}};
  constexpr long kKeep = -1;
  return refused(::syscall(SYS_setuid, 0)) && refused(::syscall(SYS_setresuid, kKeep, 0, kKeep)) &&
         refused(::syscall(SYS_setresuid, 0, 0, 0)) && refused(::syscall(SYS_setgid, 0)) &&
         refused(::syscall(SYS_setresgid, kKeep, 0, kKeep)) && refused(::syscall(SYS_setresgid, 0, 0, 0)) &&
         refused(::syscall(SYS_setgroups, 0, nullptr)) &&
         refused(::syscall(SYS_capset, &header, wanted.data()));
}

}  // namespace

Status prove_identity(const proto::JailSetup& setup) {
  if (!root_is_out_of_reach()) return doubt("root can be had back");
  if (!has_ids(setup)) return doubt("ids or groups are not the tenant's");
  RH_ASSIGN(const std::string status, read_file(AT_FDCWD, "/proc/self/status", kMaxStatusBytes));
  if (!shows_bare_identity(status, setup.uid, setup.gid)) return doubt("/proc/self/status");
  return {};
}

}  // namespace rowhouse::jail
