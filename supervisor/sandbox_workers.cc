// The workers of a sandbox: how they come to be - forked by the steward, or with preload by the template, which the
// steward has forked like a worker - and what happens when they, or the template, are no more.
//
// SECURITY: a template is as hostile as any worker.  What it may do is bounded here and in worker.cc: it may not fork
// (the worker's start-up time ends, and with it the template), die meanwhile (what it was to fork is given up), fork
// unasked (nothing has a lifeline, the plan's pids limit counts it, and it ends with the template's leaf), keep
// descriptors of a worker's (it speaks as a worker of its own app, which it could always do), answer a FORK itself or
// with somebody else's process (is_birthplace), or hide the worker from the steward (Reap is refused, the worker ended).
// tests/attacks/apps/evil_template.py does each.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/foreign_files.h"
#include "base/log.h"
#include "supervisor/log_pipe.h"
#include "supervisor/sandbox.h"

namespace rowhouse::supervisor {

using proto::Cause;
using proto::Ending;

Result<LogPipeEnds> create_log_pipe(const TenantEntry& tenant) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe2");
  LogPipeEnds pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (::fchown(pipe.write_end.get(), tenant.uid, tenant.gid) != 0) return system_error("fchown pipe");
  RH_TRY(set_nonblocking(pipe.read_end.get()));
  return pipe;
}

// --- which there are --------------------------------------------------------------------------------------------

Worker* Sandbox::find_worker(std::uint32_t id) const {
  const auto found = workers_.find(id);
  return found == workers_.end() ? nullptr : found->second.get();
}

Worker* Sandbox::find_process(std::uint32_t id) const {
  return template_ != nullptr && template_->id() == id ? template_.get() : find_worker(id);
}

// A copy: one that has never been born may be gone at once.
std::vector<Worker*> Sandbox::processes() const {
  std::vector<Worker*> all;
  for (const auto& [id, worker] : workers_) all.push_back(worker.get());
  if (template_ != nullptr) all.push_back(template_.get());
  return all;
}

std::size_t Sandbox::ready_workers() const {
  return static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(), [](const auto& entry) {
    return entry.second->state() == proto::WorkerState::kReady;
  }));
}

std::size_t Sandbox::proved_workers() const {
  return static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(), [](const auto& entry) {
    return entry.second->state() == proto::WorkerState::kReady && entry.second->proved();
  }));
}

std::size_t Sandbox::staying_workers() const {
  return static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(), [](const auto& entry) {
    return entry.second->state() < proto::WorkerState::kDraining;
  }));
}

bool Sandbox::prepared() const {
  return !has_template() || (template_ != nullptr && template_->state() == proto::WorkerState::kReady);
}

// --- starts -----------------------------------------------------------------------------------------------------

Result<Sandbox::NewWorker> Sandbox::create_worker(WorkerRole role) {
  const std::uint32_t id = next_worker_++;
  write_note();
  RH_ASSIGN(SocketPair lifeline, create_seqpacket_pair());
  const int on = 1;
  if (::setsockopt(lifeline.ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    return system_error("setsockopt SO_PASSCRED");
  }
  refuse_descriptors(lifeline.ours.get());
  RH_TRY(set_nonblocking(lifeline.ours.get()));
  NewWorker fresh;
  RH_TRY(add_log(id, order_.app_number, fresh, fresh.log));
  KeeperLink& keeper = order_.launcher->keeper();
  WorkerOrder worker;
  RH_ASSIGN(worker.note, order_.notebook->take<WorkerNote>());
  RH_ASSIGN(worker.kept_lifeline,
            Kept::keep(keeper, record(proto::KeptKind::kLifeline, id), lifeline.ours.get()));
  for (const std::uint32_t other : order_.others) {
    RH_TRY(add_log(id, other, fresh, worker.other_logs.emplace_back()));
  }
  worker.keeper = &keeper;
  worker.app = order_.app_number;
  worker.generation = order_.generation;
  worker.id = id;
  worker.uid = order_.tenant->uid;
  worker.role = role;
  worker.times = order_.times;
  worker.clock = order_.clock;
  worker.lifeline = std::move(lifeline.ours);
  RH_ASSIGN(worker.leaf, order_.cgroups->create_new(order_.group.path() + "/w" + std::to_string(id)));
  RH_TRY(worker.leaf.die_together());
  fresh.worker = std::make_unique<Worker>(order_.loop, std::move(worker), *this);
  fresh.lifeline = std::move(lifeline.theirs);
  return fresh;
}

// A log pipe for one of the apps that the worker runs.
Status Sandbox::add_log(std::uint32_t id, std::uint32_t app, NewWorker& fresh, UniqueFd& write_end) {
  RH_ASSIGN(LogPipeEnds log, create_log_pipe(*order_.tenant));
  const proto::KeptRecord kept_as{proto::KeptKind::kLog, app, order_.generation, id};
  RH_ASSIGN(Kept kept, Kept::keep(order_.launcher->keeper(), kept_as, log.read_end.get()));
  fresh.logs.push_back({std::move(log.read_end), std::move(kept)});
  write_end = std::move(log.write_end);
  return {};
}

void Sandbox::announce_logs(std::uint32_t id, NewWorker fresh) {
  for (std::size_t i = 0; i < fresh.logs.size(); ++i) {
    listener_.on_log_pipe(*this, id, i, std::move(fresh.logs[i].pipe), std::move(fresh.logs[i].kept));
  }
}

Status Sandbox::spawn_worker() {
  RH_ASSIGN(NewWorker fresh, create_worker(has_template() ? WorkerRole::kForked : WorkerRole::kWorker));
  const std::uint32_t id = fresh.worker->id();
  if (has_template()) {
    const Status sent = template_->send_fork(id, fresh.lifeline.get(), fresh.log.get());
    if (!sent.ok()) {
      discard_worker(*fresh.worker);
      return sent;
    }
  } else {
    link_.send(proto::Spawn{id}, {fresh.lifeline.get(), fresh.log.get(), order_.worker_part});
  }
  workers_.emplace(id, std::move(fresh.worker));
  announce_logs(id, std::move(fresh));
  return {};
}

Status Sandbox::start_template() {
  RH_ASSIGN(NewWorker fresh, create_worker(WorkerRole::kTemplate));
  const std::uint32_t id = fresh.worker->id();
  template_ = std::move(fresh.worker);
  link_.send(proto::SpawnTemplate{id},
             {fresh.lifeline.get(), fresh.log.get(), order_.worker_part});
  announce_logs(id, std::move(fresh));
  return {};
}

// Its leaf goes; nobody has heard of it.
void Sandbox::discard_worker(Worker& worker) {
  old_leaves_.push_back({worker.take_leaf(), {}});
  remove_old_leaves();
}

// What the steward forks is in its own leaf until it is moved, what the template forks in the template's.  The template
// itself is a child of the steward's too: it may not become a worker.
bool Sandbox::is_birthplace(const Worker& worker, pid_t pid) const {
  if (worker.role() != WorkerRole::kForked) return order_.steward.contains(pid);
  return template_ != nullptr && template_->pid() != 0 && template_->pid() != pid && template_->contains(pid);
}

void Sandbox::on_worker_born(Worker& worker, int process) {
  if (worker.role() == WorkerRole::kForked) link_.send(proto::Reap{worker.id()}, {process});
}

// --- what becomes of them ---------------------------------------------------------------------------------------

// To the owner a template is no worker: no gateway and no count knows it.
void Sandbox::on_worker_ready(Worker& worker) {
  if (&worker == template_.get()) return listener_.on_sandbox_prepared(*this);
  listener_.on_worker_ready(*this, worker);
}
void Sandbox::on_worker_leaving(Worker& worker) {
  if (&worker != template_.get()) listener_.on_worker_leaving(*this, worker);
}
void Sandbox::on_worker_lost(Worker& worker) {
  if (&worker != template_.get()) listener_.on_worker_lost(*this, worker);
}

void Sandbox::on_worker_gone(Worker& worker, Ending ending) {
  if (&worker == template_.get()) return on_template_gone(worker, ending);
  const std::uint32_t id = worker.id();
  const auto found = workers_.find(id);
  order_.graveyard->bury(std::move(found->second));
  workers_.erase(found);
  const LeafCounters counted = worker.counters();
  old_leaves_.push_back({worker.take_leaf(), counted});
  remove_old_leaves();
  // Whoever was to fork it could not even do that: only another one helps.
  const bool never_born = worker.pid() == 0 && ending.cause == Cause::kStartTimeout;
  const bool forked = worker.role() == WorkerRole::kForked;
  if (never_born && forked && template_ != nullptr) template_->kill(Cause::kStartTimeout);
  if (unborn_.erase(id) > 0) {
    listener_.on_worker_unborn(*this, id);
  } else {
    listener_.on_worker_gone(*this, id, ending);
  }
  if (never_born && !forked) fail(ending);
  if (phase_ == Phase::kClosing || closing_cause_ != Cause::kNone) try_close();
}

void Sandbox::on_template_gone(Worker& worker, Ending ending) {
  const std::uint32_t id = worker.id();
  const bool steward_hangs = worker.pid() == 0 && ending.cause == Cause::kStartTimeout;
  order_.graveyard->bury(std::move(template_));
  const LeafCounters counted = worker.counters();
  old_leaves_.push_back({worker.take_leaf(), counted});
  remove_old_leaves();
  fail_unborn();
  listener_.on_template_gone(*this, id, ending);
  if (steward_hangs) fail(ending);
  if (phase_ == Phase::kClosing || closing_cause_ != Cause::kNone) try_close();
}

// What the template was to fork.
void Sandbox::fail_unborn() {
  for (const auto& [id, worker] : workers_) {
    if (worker->role() != WorkerRole::kForked || worker->pid() != 0) continue;
    unborn_.insert(id);
    worker->kill(Cause::kSpawn);
  }
}

}  // namespace rowhouse::supervisor
