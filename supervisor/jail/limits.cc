// Resource limits that belong to processes.  What a tenant may use in all is its cgroup's business; there is
// no limit of address space, which numeric libraries and compilers reserve far beyond what they touch.
#include <fcntl.h>
#include <sys/resource.h>

#include "base/files.h"
#include "supervisor/jail/steps.h"

namespace rowhouse::jail {

Status set_resource_limits(const proto::JailSetup& setup) {
  struct Limit {
    __rlimit_resource_t resource;
    rlim_t value;
  };
  for (const Limit& limit :
       {Limit{RLIMIT_CORE, 0}, Limit{RLIMIT_NOFILE, setup.open_files}, Limit{RLIMIT_MEMLOCK, 64 * 1024},
        Limit{RLIMIT_MSGQUEUE, 0}, Limit{RLIMIT_RTPRIO, 0}, Limit{RLIMIT_NICE, 0},
        Limit{RLIMIT_SIGPENDING, 4096}, Limit{RLIMIT_STACK, 8 * 1024 * 1024}}) {
    const rlimit both{limit.value, limit.value};
    if (::setrlimit(limit.resource, &both) != 0) return system_error("setrlimit");
  }
  // Set by root it is also the least value that the tenant can return to (THREATS S27).
  return write_kernel_file(AT_FDCWD, "/proc/self/oom_score_adj", "500");
}

}  // namespace rowhouse::jail
