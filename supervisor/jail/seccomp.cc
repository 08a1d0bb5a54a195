// Installs the two filters that seccomp_generator wrote at build time (policy: seccomp_policy.h).  The kernel
// takes the stricter answer of the two.  Where both answer with an errno the later one decides, so the filter
// of numbers comes last: a number from the future gets ENOSYS.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <span>

#include "supervisor/jail/seccomp_filters.h"
#include "supervisor/jail/steps.h"

namespace rowhouse::jail {
namespace {

Status install(std::span<const sock_filter> filter) {
  const sock_fprog program{static_cast<unsigned short>(filter.size()),
                           const_cast<sock_filter*>(filter.data())};
  // TSYNC answers with the id of a thread that could not be brought along; there is one thread only.
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
    return system_error("seccomp");
  }
  return {};
}

}  // namespace

Status install_filters() {
  RH_TRY(install(kArgumentFilter));
  return install(kNumberFilter);
}

}  // namespace rowhouse::jail
