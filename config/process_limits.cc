#include "config/process_limits.h"

#include <sys/prctl.h>

#include <algorithm>

namespace rowhouse::config {
namespace {

Status limit(int resource, rlim_t value, const char* operation) {
  rlimit limits{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &limits) != 0) return system_error(operation);
  if (value < limits.rlim_max) limits.rlim_max = value;
  limits.rlim_cur = limits.rlim_max;
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limits) != 0) return system_error(operation);
  return {};
}

Status limit_memory() {
#if defined(__SANITIZE_ADDRESS__)
  return {};  // the sanitizer reserves terabytes of address space
#else
  return limit(RLIMIT_AS, kMemoryLimitBytes, "setrlimit RLIMIT_AS");
#endif
}

}  // namespace

Status confine_process() {
  RH_TRY(limit_memory());
  RH_TRY(limit(RLIMIT_CORE, 0, "setrlimit RLIMIT_CORE"));
  RH_TRY(limit(RLIMIT_NOFILE, kOpenFiles, "setrlimit RLIMIT_NOFILE"));
  RH_TRY(renew_cpu_allowance());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("prctl PR_SET_NO_NEW_PRIVS");
  return {};
}

Status refuse_tracers() {
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("prctl PR_SET_DUMPABLE");
  return {};
}

Status renew_cpu_allowance() {
  rusage used{};
  rlimit limits{};
  if (::getrusage(RUSAGE_SELF, &used) != 0) return system_error("getrusage");
  if (::getrlimit(RLIMIT_CPU, &limits) != 0) return system_error("getrlimit RLIMIT_CPU");
  const auto spent = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1);
  limits.rlim_cur = std::min(spent + kCpuSeconds, limits.rlim_max);
  if (::setrlimit(RLIMIT_CPU, &limits) != 0) return system_error("setrlimit RLIMIT_CPU");
  return {};
}

}  // namespace rowhouse::config
