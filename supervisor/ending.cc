#include "supervisor/ending.h"

#include <sys/wait.h>

#include <csignal>

namespace rowhouse::supervisor {

using proto::Cause;
using proto::Ending;

namespace {

Ending find_cause(const WorkerFacts& facts) {
  if (facts.decided != Cause::kNone) return {facts.decided, facts.decided_argument};
  if (facts.oom_killed) return {Cause::kOom, 0};
  if (facts.seccomp) return {Cause::kSeccomp, static_cast<std::int32_t>(*facts.seccomp)};
  if (facts.failed_step) return {Cause::kImport, static_cast<std::int32_t>(*facts.failed_step)};
  // The steward is the init of the namespace: when it dies, the kernel kills the workers.
  if (!facts.wait_status) return {Cause::kSignal, SIGKILL};
  if (WIFSIGNALED(*facts.wait_status)) return {Cause::kSignal, WTERMSIG(*facts.wait_status)};
  return {Cause::kExit, WEXITSTATUS(*facts.wait_status)};
}

}  // namespace

Ending classify_ending(const WorkerFacts& facts) {
  Ending ending = find_cause(facts);
  if (ending.cause == Cause::kOom) ending.limits.memory_bytes = facts.memory_bytes;
  if (!is_planned(ending.cause)) ending.limits.forks_refused = facts.forks_refused;
  return ending;
}

Ending classify_host_ending(int code, int status, std::uint64_t oom_kills) {
  if (code == CLD_EXITED) return {Cause::kExit, status};
  if (status == SIGKILL && oom_kills > 0) return {Cause::kOom, 0};
  return {Cause::kSignal, status};
}

bool is_planned(Cause cause) {
  return cause == Cause::kRestart || cause == Cause::kShutdown || cause == Cause::kStopped ||
         cause == Cause::kIdle || cause == Cause::kSuspended || cause == Cause::kMaxRequests ||
         cause == Cause::kMaxLifetime || cause == Cause::kMaxMemory;
}

}  // namespace rowhouse::supervisor
