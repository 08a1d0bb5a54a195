// Why a worker ended, decided from the facts.  Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/causes.h"
#include "proto/control_messages.h"

namespace rowhouse::supervisor {

struct WorkerFacts {
  proto::Cause decided = proto::Cause::kNone;   // we killed it, and why
  std::int32_t decided_argument = 0;            // as the cause has one
  bool oom_killed = false;                      // its leaf's counter has grown
  std::uint64_t memory_bytes = 0;               // what its leaf had at most
  std::uint64_t forks_refused = 0;              // by a pids limit, in its leaf
  std::optional<std::uint32_t> seccomp;         // SECCOMP on the lifeline
  std::optional<proto::StartStep> failed_step;  // FAILED on the lifeline
  bool drained = false;                         // DRAINED on the lifeline
  std::optional<int> wait_status;               // of waitpid(2), from the steward; none when it died first
};

// The limits of the ending are what the leaf shows; whose limit it was, the app knows.  kOom before what we
// decided ourselves, except for deaths that we caused for another reason before the kernel did; a worker that
// ended in order after DRAIN has the decided cause.
[[nodiscard]] proto::Ending classify_ending(const WorkerFacts& facts);

// The same for a process of Rowhouse's own, from waitid(2) and what its cgroup counted meanwhile.
[[nodiscard]] proto::Ending classify_host_ending(int code, int status, std::uint64_t oom_kills);

// True for endings that nobody has to be told as a failure: restart, stop, shutdown ...
[[nodiscard]] bool is_planned(proto::Cause cause);

}  // namespace rowhouse::supervisor
