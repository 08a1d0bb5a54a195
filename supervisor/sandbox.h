// One sandbox: one generation of one app.  Owns its cgroup, its steward and its workers.
//
//              StewardReady            close() or death of the steward
//   building ----------------> standing ------------------------------> closing ---> closed
//   (on_sandbox_closed)
//       |                                                                  ^
//       +----------- JailFailed, exit, no answer in time ------------------+
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/loop.h"
#include "proto/jail_messages.h"
#include "supervisor/cgroups.h"
#include "supervisor/graveyard.h"
#include "supervisor/launcher.h"
#include "supervisor/peer_link.h"
#include "supervisor/programs.h"
#include "supervisor/registry.h"
#include "supervisor/worker.h"

namespace rowhouse::supervisor {

class Sandbox;

class SandboxListener {
 public:
  virtual ~SandboxListener() = default;
  virtual void on_sandbox_standing(Sandbox& sandbox) = 0;
  virtual void on_worker_ready(Sandbox& sandbox, Worker& worker) = 0;
  // Its template has imported the app: workers can be forked.
  virtual void on_sandbox_prepared(Sandbox& sandbox) = 0;
  // One that was to be forked is not: the template was gone before, and its end tells why.
  virtual void on_worker_unborn(Sandbox& sandbox, std::uint32_t number) = 0;
  // The template is no more; the workers that it has forked go on.
  virtual void on_template_gone(Sandbox& sandbox, std::uint32_t number, proto::Ending ending) = 0;
  virtual void on_worker_leaving(Sandbox& sandbox, Worker& worker) = 0;
  virtual void on_worker_lost(Sandbox& sandbox, Worker& worker) = 0;
  virtual void on_worker_gone(Sandbox& sandbox, std::uint32_t worker, proto::Ending ending) = 0;
  // The steward died or the jail failed; the sandbox is closing by itself.
  virtual void on_sandbox_failed(Sandbox& sandbox, proto::Ending ending) = 0;
  // Nothing of it is left; the listener buries it.
  virtual void on_sandbox_closed(Sandbox& sandbox) = 0;
  // The read end of a log pipe: hand it to control (worker 0: the steward).
  // `app`: which one of a share.
  virtual void on_log_pipe(Sandbox& sandbox, std::uint32_t worker, std::size_t app, UniqueFd pipe, Kept kept) = 0;
  // One that was taken over: what runs in it is known now, new workers may be started.
  virtual void on_sandbox_resynced(Sandbox& sandbox) = 0;
  // A file was touched that the steward looks at.
  virtual void on_sandbox_touched(Sandbox& sandbox) = 0;
};

// Where the workers of a sandbox come from (manifest: preload).
enum class WorkerSource : std::uint8_t { kSteward, kTemplate };

struct SandboxOrder {
  uv_loop_t* loop = nullptr;
  Launcher* launcher = nullptr;
  const Programs* programs = nullptr;
  const PythonProgram* python = nullptr;
  Graveyard* graveyard = nullptr;
  std::uint32_t app_number = 0;
  std::vector<std::uint32_t> others;  // the numbers of further apps that run in the same workers
  std::uint32_t generation = 0;
  Notebook* notebook = nullptr;
  Cgroup group;    // g<generation>, new
  Cgroup steward;  // below it
  const CgroupTree* cgroups = nullptr;
  const TenantEntry* tenant = nullptr;
  std::string app;
  std::vector<std::string> touches;  // absolute: files that the steward looks at
  int worker_part = -1;
  WorkerSource source = WorkerSource::kSteward;
  NetworkAccess network;
  const Clock* clock = nullptr;
  WorkerTimes times;
};

// What an earlier supervisor has left of one.
struct LeftWorker {
  WorkerNote note;
  NoteRow<WorkerNote> row;
  UniqueFd lifeline;
  UniqueFd process;  // invalid: not born yet
};
struct LeftSandbox {
  SandboxNote note;
  NoteRow<SandboxNote> row;
  std::optional<LeftChild> steward;
  UniqueFd control;
  std::vector<LeftWorker> workers;
};

class Sandbox final : public Mortal, public WorkerListener {
 public:
  // Launches the jail.
  static Result<std::unique_ptr<Sandbox>> start(SandboxOrder order, SandboxListener& listener);
  // Takes over one with an open control socket; its groups exist.  Nothing happens before carry_on().
  static Result<std::unique_ptr<Sandbox>> adopt(SandboxOrder order, SandboxListener& listener, LeftSandbox left);
  // One that was half made is killed; one that was being closed is closed on; one that stands is asked what it
  // has (on_sandbox_resynced).
  void carry_on();

  // REQUIRES: standing and prepared.
  Status spawn_worker();
  // Whether workers can be started: with a template, once that has imported the app.
  [[nodiscard]] bool prepared() const;
  // A template is there, or none is needed.
  [[nodiscard]] bool preparing() const { return !has_template() || template_ != nullptr; }
  [[nodiscard]] bool has_template() const { return order_.source == WorkerSource::kTemplate; }
  // REQUIRES: standing and not preparing.  Starts the template (on_sandbox_prepared).
  Status start_template();
  // Lets the workers finish, then makes them, each within its times; then kills the cgroup.
  void close(proto::Cause cause);
  // Kills everything now.
  void kill(proto::Cause cause);
  // False when somebody has removed one of its groups or moved a process out of it (confinement.cc).
  [[nodiscard]] bool is_confined();
  // Kills everything now, wherever it is, and reports the failure.
  void on_unconfined();
  // From the keeper: the steward was reaped.
  void on_steward_exit(int code, int status);

  [[nodiscard]] std::uint64_t steward_child() const { return steward_process_.child; }
  [[nodiscard]] std::uint32_t generation() const { return order_.generation; }
  // Ready for new workers.
  [[nodiscard]] bool standing() const { return phase_ == Phase::kStanding && !resyncing_; }
  [[nodiscard]] bool closing() const { return phase_ >= Phase::kClosing || closing_cause_ != proto::Cause::kNone; }
  [[nodiscard]] bool half_made() const { return phase_ == Phase::kBuilding; }
  [[nodiscard]] std::uint32_t missing_walls() const { return missing_walls_; }
  [[nodiscard]] const std::map<std::uint32_t, std::unique_ptr<Worker>>& workers() const { return workers_; }
  // The workers and, last, the template.
  [[nodiscard]] std::vector<Worker*> processes() const;
  [[nodiscard]] Worker* find_worker(std::uint32_t id) const;
  [[nodiscard]] std::size_t ready_workers() const;
  // Of those the ones that may be used (WorkerNotes).
  [[nodiscard]] std::size_t proved_workers() const;
  // Those that are ready or are to become it.
  [[nodiscard]] std::size_t staying_workers() const;
  // Of all its leaves, also of those that were removed.
  [[nodiscard]] LeafCounters counters() const;

 private:
  using Phase = SandboxPhase;

  Sandbox(SandboxOrder order, SandboxListener& listener, LaunchedProcess steward, UniqueFd control);
  void adopt_worker(LeftWorker left);
  // A worker that is to be started, and what its process gets.
  struct NewWorker {
    std::unique_ptr<Worker> worker;
    UniqueFd lifeline, log;  // the process's ends
    struct Log {
      UniqueFd pipe;  // ours
      Kept kept;
    };
    std::vector<Log> logs;  // of each app
  };
  Status add_log(std::uint32_t id, std::uint32_t app, NewWorker& fresh, UniqueFd& write_end);
  void announce_logs(std::uint32_t id, NewWorker fresh);
  Result<NewWorker> create_worker(WorkerRole role);
  void discard_worker(Worker& worker);
  void on_template_gone(Worker& worker, proto::Ending ending);
  void fail_unborn();
  // Also the template.
  [[nodiscard]] Worker* find_process(std::uint32_t id) const;
  void on_resynced();
  void start_deadline(std::chrono::milliseconds time);
  void stop_deadline();
  void write_note();
  [[nodiscard]] proto::KeptRecord record(proto::KeptKind kind, std::uint32_t worker = 0) const {
    return {kind, order_.app_number, order_.generation, worker};
  }
  void send_setup();
  void on_message(proto::IncomingMessage& message);
  void on_worker_exited(const proto::IncomingMessage& message);
  void on_spawn_failed(const proto::IncomingMessage& message);
  // From the loop's next turn: the listener does not know this sandbox before start() has returned.
  void fail_soon(proto::JailStep step);
  void fail(proto::Ending ending);
  void on_steward_lost(std::string_view reason);
  void on_deadline();
  void on_sweep();
  void remove_old_leaves();
  void sweep_later();
  void try_close();

  void on_worker_ready(Worker& worker) override;
  void on_worker_leaving(Worker& worker) override;
  void on_worker_lost(Worker& worker) override;
  void on_worker_gone(Worker& worker, proto::Ending ending) override;
  [[nodiscard]] bool is_birthplace(const Worker& worker, pid_t pid) const override;
  void on_worker_born(Worker& worker, int process) override;

  SandboxOrder order_;
  SandboxListener& listener_;
  Phase phase_ = Phase::kBuilding;
  LaunchedProcess steward_process_;
  Kept kept_control_;
  NoteRow<SandboxNote> note_;
  std::int64_t deadline_us_ = 0;          // monotonic; 0: none
  bool resyncing_ = false;                // taken over, and the steward has not said yet what it has
  std::set<std::uint32_t> said_workers_;  // while resyncing
  bool steward_reaped_ = false;
  bool failing_ = false;       // fail() is under way
  bool steward_lost_ = false;  // its connection has ended, its exit status is awaited
  std::uint32_t missing_walls_ = 0;
  proto::JailStep failed_step_ = proto::JailStep::kNone;  // of what could not even be asked for
  std::uint32_t next_worker_ = 1;
  proto::Ending failure_;
  proto::Cause closing_cause_ = proto::Cause::kNone;
  std::map<std::uint32_t, std::unique_ptr<Worker>> workers_;
  std::set<std::uint32_t> unborn_;  // workers whose template has gone before they were born
  std::unique_ptr<Worker> template_;  // no worker: it runs no request and is not counted
  struct OldLeaf {
    Cgroup group;
    LeafCounters counted;
  };
  std::vector<OldLeaf> old_leaves_;  // of dead workers; the kernel lets go of some a little later
  LeafCounters removed_;             // what the removed leaves had counted
  LeafCounters last_;                // of all leaves, while the whole group is being removed
  std::chrono::milliseconds sweep_pause_{};
  Timer deadline_;  // of the building
  Timer sweep_;  // removes the cgroup as soon as the kernel lets us
  PeerLink link_;
};

}  // namespace rowhouse::supervisor
