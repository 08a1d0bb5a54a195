// The life of a worker's process between the steward's fork and its exec.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "base/unique_fd.h"
#include "proto/jail_messages.h"

namespace rowhouse::jail {

// What the worker program becomes.
enum class SpawnRole : std::uint8_t { kWorker, kTemplate };

// The worker's argv and environment, made once: the same for every worker of a sandbox.
class WorkerProgram {
 public:
  explicit WorkerProgram(const proto::JailSetup& setup);
  WorkerProgram(const WorkerProgram&) = delete;
  WorkerProgram& operator=(const WorkerProgram&) = delete;
  // Replaces this process by the worker, or the template.  Returns errno where that failed.
  [[nodiscard]] int exec(SpawnRole role) const;

 private:
  std::string name_, home_, user_, logname_;
};

// What a Spawn brings, in the order of the message.
struct WorkerDescriptors {
  int lifeline, log, part;
};

// Where a child leaves the errno of what went wrong, in memory that it shares with the steward; 0: nothing
// did.
using StartError = std::atomic<std::int32_t>;

// In the forked child: takes its descriptors to their numbers, says BORN, waits for GO and becomes the
// worker. Before GO it only ever ends by itself: at the end of the lifeline, or at any other record.
[[noreturn]] void start_worker(const WorkerProgram& program, SpawnRole role,
                               const WorkerDescriptors& descriptors, StartError& error);

}  // namespace rowhouse::jail
