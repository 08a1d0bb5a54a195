// The change of identity.  Raw system calls: there is one thread, and glibc's wrappers do more.
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/jail/steps.h"

namespace rowhouse::jail {

Status become_tenant(const proto::JailSetup& setup) {
  // A failure counts also for the empty list (mod_wsgi's CVE-2014-8583 was this).
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) return system_error("setgroups");
  if (::syscall(SYS_setresgid, setup.gid, setup.gid, setup.gid) != 0) return system_error("setresgid");
  if (::syscall(SYS_setresuid, setup.uid, setup.uid, setup.uid) != 0) return system_error("setresuid");
  return {};
}

}  // namespace rowhouse::jail
