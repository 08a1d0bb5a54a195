// The steward: what the jail is after its last step.  Pid 1 of the sandbox, the tenant's uid, behind the
// tenant's own filters; forks workers on the supervisor's word, reaps every process of the sandbox and
// reports the workers' ends. It reads nothing but the supervisor's messages and never calls exec.
//
// Every Spawn gets exactly one answer, when its process is gone: SpawnFailed (no fork or no exec) or
// WorkerExited. When the supervisor is gone it keeps the workers and reaps on; the next one has the same
// socket and asks with Resync what there is.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/jail_messages.h"
#include "supervisor/jail/worker_start.h"
#include "supervisor/jail/worker_table.h"

namespace rowhouse::jail {

class Steward {
 public:
  // `control` stays the caller's and open.
  Steward(int control, const WorkerProgram& program, WorkerTable& workers)
      : control_(control), program_(program), workers_(workers) {}
  // Blocks SIGCHLD and opens the descriptor that tells of it: before the first fork.
  Status prepare();
  // Serves until a message arrives that the supervisor never sends, or the kernel refuses what cannot be
  // refused.
  [[nodiscard]] Error run();

 private:
  Status serve_turn();
  Status on_control();
  Status on_spawn(const proto::Spawn& spawn, const WorkerDescriptors& descriptors);
  void on_children();
  Status send_reports();
  Status send_rows();

  int control_;
  const WorkerProgram& program_;
  WorkerTable& workers_;
  UniqueFd children_;
  bool supervised_ = true;
  std::uint32_t resync_nonce_ = 0;
  std::optional<std::size_t> next_row_;  // of the table, to be said in answer to Resync
};

}  // namespace rowhouse::jail
