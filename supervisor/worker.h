// The supervisor's side of one worker: its lifeline, its pidfd, its cgroup leaf and its deadline.
//
//            BORN            READY           DRAIN sent
//   spawning ----> loading ----------> ready ----------> draining
//       |             |                  |                  |
//       +-------------+--- process ends, or we kill it -----+---> dying ---> gone (on_worker_gone)
//
// SECURITY: the worker is presumed hostile.  Its pid comes from the kernel (SCM_CREDENTIALS), it is checked
// to be in this generation's cgroup before it may run anything, and each lifeline record counts only in the
// state that awaits it (tests/system/test_lifeline.py).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "proto/lifeline.h"
#include "supervisor/cgroups.h"
#include "supervisor/ending.h"
#include "supervisor/graveyard.h"
#include "supervisor/launcher.h"

namespace rowhouse::supervisor {

class Worker;

class WorkerListener {
 public:
  virtual ~WorkerListener() = default;
  virtual void on_worker_ready(Worker& worker) = 0;
  // The process has ended; no request must be sent to it any more.
  virtual void on_worker_lost(Worker& worker) = 0;
  // Everything is known; the listener buries the worker.
  virtual void on_worker_gone(Worker& worker, proto::Ending ending) = 0;
};

struct WorkerOrder {
  std::uint32_t id = 0;
  uid_t uid = 0;                    // that BORN must come from
  const Cgroup* steward = nullptr;  // where BORN must come from; outlives the worker
  Cgroup leaf;
  UniqueFd lifeline;  // our end, SO_PASSCRED set
  std::chrono::milliseconds startup{};
};

class Worker final : public Mortal {
 public:
  Worker(uv_loop_t* loop, WorkerOrder order, WorkerListener& listener);
  ~Worker() override;

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] proto::WorkerState state() const { return state_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint64_t memory_bytes() const { return leaf_.memory_bytes(); }
  [[nodiscard]] LeafCounters counters() const { return leaf_.counters(); }
  [[nodiscard]] Cgroup take_leaf() { return std::move(leaf_); }

  // False for one that runs outside its leaf, which nothing limits there (confinement.cc).
  [[nodiscard]] bool is_confined() const;

  // Gives it one end of a channel to gateway `index`.
  Status send_channel(std::uint32_t index, int channel);
  // Asks it to finish and leave; `cause` is why, in case the process then ends in order.
  void drain(proto::Cause cause);
  // SIGTERM, for one that drains too slowly.
  void terminate();
  // Kills everything in its leaf.  The first decided cause counts.
  void kill(proto::Cause cause);

  // --- from the steward
  void on_exit_status(int wait_status);
  // The sandbox is dead: no status will come.
  void on_steward_lost();

  std::optional<std::uint32_t> row;  // in the shared table, once it was ready; kept by the owner

 private:
  void on_lifeline();
  void on_record(const proto::LifelineRecord& record, const ReceivedMessage& message);
  void on_born(const ReceivedMessage& message);
  void on_process_end();
  void kill_leaf();
  void finish();

  uv_loop_t* loop_;
  WorkerListener& listener_;
  std::uint32_t id_;
  uid_t uid_;
  const Cgroup* steward_;
  Cgroup leaf_;
  UniqueFd lifeline_;
  proto::WorkerState state_ = proto::WorkerState::kSpawning;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  WorkerFacts facts_;
  bool ended_ = false;  // the process has ended, or never was
  bool finished_ = false;
  Timer kill_again_;  // while the leaf is being frozen for its kill
  Timer deadline_;    // startup; later: the wait for its status
  std::unique_ptr<Poll> lifeline_poll_;
  std::unique_ptr<Poll> pidfd_poll_;
};

}  // namespace rowhouse::supervisor
