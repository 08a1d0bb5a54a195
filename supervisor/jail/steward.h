// The steward: what the jail is after its last step.  Pid 1 of the sandbox, the tenant's uid, behind the
// tenant's own filters; forks workers on the supervisor's word, reaps every process of the sandbox and
// reports the workers' ends, and looks whether a file was touched whose touch restarts the app. It reads nothing but
// the supervisor's messages and never calls exec.
//
// Every Spawn gets exactly one answer, when its process is gone: SpawnFailed (no fork or no exec) or
// WorkerExited.  So does every Reap, which names a worker that a template has forked: its parent has ended, so that the
// kernel has made it a child of pid 1. When the supervisor is gone it keeps the workers and reaps on; the next one has the same
// socket and asks with Resync what there is.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/jail_messages.h"
#include "supervisor/jail/watched_files.h"
#include "supervisor/jail/worker_start.h"
#include "supervisor/jail/worker_table.h"

namespace rowhouse::jail {

class Steward {
 public:
  // `control` stays the caller's and open.
  Steward(int control, const WorkerProgram& program, WorkerTable& workers, WatchedFiles& files)
      : control_(control), program_(program), workers_(workers), files_(files) {}
  // Blocks SIGCHLD, opens the descriptor that tells of it and remembers how the watched files are: before the first
  // fork.
  Status prepare();
  // Serves until a message arrives that the supervisor never sends, or the kernel refuses what cannot be
  // refused.
  [[nodiscard]] Error run();

 private:
  Status serve_turn();
  Status on_control();
  Status on_orders();
  Status on_spawn(std::uint32_t worker, SpawnRole role, const WorkerDescriptors& descriptors);
  void on_reap(const proto::Reap& reap, UniqueFd process);
  void on_children();
  void look_at_files();
  Status send_reports();
  Status send_rows();

  int control_;
  const WorkerProgram& program_;
  WorkerTable& workers_;
  WatchedFiles& files_;
  SystemClock clock_;
  UniqueFd children_;
  bool supervised_ = true;
  bool was_touched_ = false;   // since the sandbox stands
  bool touch_unsaid_ = false;  // to this supervisor
  std::uint32_t resync_nonce_ = 0;
  std::optional<std::size_t> next_row_;  // of the table, to be said in answer to Resync
};

}  // namespace rowhouse::jail
