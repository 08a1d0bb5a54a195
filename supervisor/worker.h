// The supervisor's side of one worker: its lifeline, its pidfd, its cgroup leaf and its deadline.
//
// What it is and when what is done to it: worker_life.h, which has the picture.
//
// SECURITY: the worker is presumed hostile.  Its pid comes from the kernel (SCM_CREDENTIALS), it is checked
// to be in the steward's cgroup, or the template's, before it may run anything, and each lifeline record counts only in the
// state that awaits it (tests/system/test_lifeline.py).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.h"
#include "proto/lifeline.h"
#include "supervisor/cgroups.h"
#include "supervisor/ending.h"
#include "supervisor/graveyard.h"
#include "supervisor/keeper_link.h"
#include "supervisor/launcher.h"
#include "supervisor/notebook.h"
#include "supervisor/worker_life.h"

namespace rowhouse::supervisor {

class Worker;

// In the shared table, as the note has them.
[[nodiscard]] std::vector<std::uint32_t> rows_in(const WorkerNote& note);

class WorkerListener {
 public:
  virtual ~WorkerListener() = default;
  virtual void on_worker_ready(Worker& worker) = 0;
  // It has been asked to go; it may still have requests.
  virtual void on_worker_leaving(Worker& worker) = 0;
  // The process has ended; no request must be sent to it any more.
  virtual void on_worker_lost(Worker& worker) = 0;
  // A process of its tenant's claims to be it: may it, where it comes from?
  [[nodiscard]] virtual bool is_birthplace(const Worker& worker, pid_t pid) const = 0;
  // It is in its leaf and has not been told to go on yet.
  virtual void on_worker_born(Worker& worker, int process) = 0;
  // Everything is known; the listener buries the worker.
  virtual void on_worker_gone(Worker& worker, proto::Ending ending) = 0;
};

struct WorkerOrder {
  std::uint32_t app = 0;
  std::uint32_t generation = 0;
  std::uint32_t id = 0;
  uid_t uid = 0;  // that BORN must come from
  WorkerRole role = WorkerRole::kWorker;
  Cgroup leaf;
  UniqueFd lifeline;  // our end, SO_PASSCRED set
  std::vector<UniqueFd> other_logs;  // the process's ends of the log pipes of further apps of its share
  WorkerTimes times;
  const Clock* clock = nullptr;
  KeeperLink* keeper = nullptr;  // outlives the worker
  Kept kept_lifeline;
  NoteRow<WorkerNote> note;
};

// What the owner of a worker remembers of it.
struct WorkerNotes {
  std::uint32_t random = 0;         // its jitter
  std::uint32_t probe = 0;          // under way; 0: none
  std::uint32_t failed_probes = 0;  // in a row
  Instant next_probe_at{};          // or, while one is under way, when it is given up
};

class Worker final : public Mortal {
 public:
  Worker(uv_loop_t* loop, WorkerOrder order, WorkerListener& listener);
  ~Worker() override;
  // Goes on where an earlier supervisor stopped; once, first.  Without a pidfd it was not born yet.
  void resume(const WorkerNote& note, UniqueFd pidfd);

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] proto::WorkerState state() const { return life_.state; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] WorkerRole role() const { return role_; }
  [[nodiscard]] bool contains(pid_t pid) const { return leaf_.contains(pid); }
  // Its own word, which only shapes its own queue: many requests run on one event loop.
  [[nodiscard]] bool runs_event_loop(std::size_t app) const { return (event_loops_ >> app & 1U) != 0; }
  [[nodiscard]] std::uint64_t memory_bytes() const { return leaf_.memory_bytes(); }
  [[nodiscard]] LeafCounters counters() const { return leaf_.counters(); }
  [[nodiscard]] Cgroup take_leaf() { return std::move(leaf_); }

  // A look of confinement.cc: false for one that runs outside its leaf, where nothing limits it.
  [[nodiscard]] bool is_confined();

  // Gives it one end of a channel to gateway `index`, for one app of its share.
  Status send_channel(std::uint32_t index, std::size_t app, int channel);
  // REQUIRES: a template.  It forks worker `id`, which gets these.
  Status send_fork(std::uint32_t id, int lifeline, int log);
  // Asks it to finish and leave, then makes it, each in its time; `cause` is why.
  void leave(proto::Cause cause, std::int32_t argument = 0);
  // One of its requests is over its time: its stacks are written, it takes no more requests, and those that it
  // has go on until it must go.
  void on_request_over_time();
  // Nobody waits for any of its requests.
  void on_unneeded();
  // The Python stacks of all its threads go to its log.  False before READY: it could not take the signal.
  bool write_stacks();
  // Kills everything in its leaf.  The first decided cause counts.
  void kill(proto::Cause cause, std::int32_t argument = 0);

  // --- from the steward
  void on_exit_status(int wait_status);
  // The sandbox is dead: no status will come.
  void on_steward_lost();

  // In the shared table, while it is ready; the owner's.
  // One for each app that it runs; empty: none.
  [[nodiscard]] const std::vector<std::uint32_t>& rows() const { return rows_; }
  [[nodiscard]] bool row() const { return !rows_.empty(); }
  void set_rows(std::vector<std::uint32_t> rows);
  // Ready, and healthy where the app has a health check.
  [[nodiscard]] bool proved() const { return proved_; }
  void set_proved();
  // When it was.
  [[nodiscard]] Instant ready_at() const { return ready_at_; }

  WorkerNotes notes;

 private:
  void decide(proto::Cause cause, std::int32_t argument);
  void send_off();
  void on_event(WorkerEvent event);
  void act(const WorkerActions& actions);
  void follow_deadline(Instant now);
  void write_note();
  void watch_process();
  void on_lifeline();
  void on_record(const proto::LifelineRecord& record, const ReceivedMessage& message);
  void on_born(const ReceivedMessage& message);
  void on_lifeline_end();
  void on_process_end();
  void kill_leaf();
  void finish();

  uv_loop_t* loop_;
  WorkerListener& listener_;
  std::uint32_t app_, generation_;
  std::uint32_t id_;
  uid_t uid_;
  WorkerRole role_;
  Cgroup leaf_;
  UniqueFd lifeline_;
  WorkerTimes times_;
  const Clock* clock_;
  WorkerLife life_;
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  WorkerFacts facts_;
  std::uint32_t event_loops_ = 0;  // a bit for each app
  unsigned missed_looks_ = 0;  // in a row, at which it was not in its leaf
  Instant ordered_at_;
  bool was_ready_ = false;
  std::vector<std::uint32_t> rows_;
  std::vector<UniqueFd> other_logs_;  // until it has been told to go on
  bool proved_ = false;
  bool killed_ = false;
  Instant ready_at_{};
  bool ended_ = false;  // the process has ended, or never was
  bool finished_ = false;
  KeeperLink* keeper_;
  Kept kept_lifeline_, kept_process_;
  NoteRow<WorkerNote> note_;
  Timer kill_again_;  // while the leaf is being frozen for its kill
  Timer deadline_;    // of life_
  std::unique_ptr<Poll> lifeline_poll_;
  std::unique_ptr<Poll> pidfd_poll_;
};

}  // namespace rowhouse::supervisor
