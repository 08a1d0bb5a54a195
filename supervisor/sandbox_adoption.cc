// A sandbox that an earlier supervisor has started: taken over with its steward and workers.
#include <algorithm>

#include "base/clock.h"
#include "base/log.h"
#include "proto/common_messages.h"
#include "supervisor/sandbox.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::KeptKind;
using std::chrono::milliseconds;

// A steward that does not say in this time what it has may be stopped; its workers are none the worse for it.
constexpr std::chrono::seconds kResyncDeadline{10};

std::uint32_t in_ms(Duration time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<milliseconds>(time).count());
}

std::int64_t monotonic_us() {
  return SystemClock().now().time_since_epoch().count();
}

}  // namespace

void Sandbox::start_deadline(milliseconds time) {
  deadline_us_ = monotonic_us() + Duration(time).count();
  deadline_.start(time);
  write_note();
}

void Sandbox::stop_deadline() {
  deadline_us_ = 0;
  deadline_.stop();
  write_note();
}

void Sandbox::write_note() {
  SandboxNote note;
  note.app = order_.app_number;
  note.generation = order_.generation;
  note.next_worker = next_worker_;
  note.missing_walls = missing_walls_;
  note.deadline_us = deadline_us_;
  note.startup_ms = in_ms(order_.times.startup);
  note.graceful_ms = in_ms(order_.times.graceful);
  note.shutdown_ms = in_ms(order_.times.shutdown);
  note.phase = phase_;
  note.closing_cause = closing_cause_;
  note_.write(note);
}

Result<std::unique_ptr<Sandbox>> Sandbox::adopt(SandboxOrder order, SandboxListener& listener, LeftSandbox left) {
  if (!left.control.valid()) return make_error(ErrorCode::kNotFound, "control socket of a steward");
  LaunchedProcess steward;
  if (left.steward) steward = {left.steward->child, left.steward->pid, std::move(left.steward->pidfd)};
  order.times = {milliseconds(left.note.startup_ms), milliseconds(left.note.graceful_ms),
                 milliseconds(left.note.shutdown_ms)};
  std::unique_ptr<Sandbox> sandbox(
      new Sandbox(std::move(order), listener, std::move(steward), std::move(left.control)));
  Sandbox& adopted = *sandbox;
  adopted.deadline_.stop();
  adopted.note_ = std::move(left.row);
  adopted.kept_control_ = Kept::take_over(adopted.order_.launcher->keeper(), adopted.record(KeptKind::kSteward));
  adopted.steward_reaped_ = adopted.steward_process_.child == 0;
  adopted.phase_ = left.note.phase;
  adopted.next_worker_ = std::max(left.note.next_worker, 1u);
  adopted.missing_walls_ = left.note.missing_walls;
  adopted.deadline_us_ = left.note.deadline_us;
  adopted.closing_cause_ = left.note.closing_cause;
  if (adopted.phase_ != Phase::kBuilding) adopted.link_.set_running();
  for (LeftWorker& worker : left.workers) adopted.adopt_worker(std::move(worker));
  adopted.write_note();
  return sandbox;
}

void Sandbox::adopt_worker(LeftWorker left) {
  const std::uint32_t id = left.note.worker;
  auto leaf = order_.cgroups->open_existing(order_.group.path() + "/w" + std::to_string(id));
  // What it had is removed with the sandbox's group.
  if (!leaf.ok() || !left.lifeline.valid()) return;
  WorkerOrder worker;
  worker.app = order_.app_number;
  worker.generation = order_.generation;
  worker.id = id;
  worker.uid = order_.tenant->uid;
  worker.role = left.note.role;
  worker.leaf = std::move(leaf).value();
  worker.lifeline = std::move(left.lifeline);
  worker.times = order_.times;
  worker.clock = order_.clock;
  worker.keeper = &order_.launcher->keeper();
  worker.kept_lifeline = Kept::take_over(*worker.keeper, record(KeptKind::kLifeline, id));
  worker.note = std::move(left.row);
  next_worker_ = std::max(next_worker_, id + 1);
  // The word about it may not have been said; the steward passes over what it knows.
  if (left.note.role == WorkerRole::kForked && left.process.valid()) link_.send(proto::Reap{id}, {left.process.get()});
  auto entry = std::make_unique<Worker>(order_.loop, std::move(worker), *this);
  Worker& adopted = *entry;
  if (left.note.role == WorkerRole::kTemplate) {
    template_ = std::move(entry);
  } else {
    workers_.emplace(id, std::move(entry));
  }
  adopted.resume(left.note, std::move(left.process));
}

void Sandbox::carry_on() {
  if (phase_ == Phase::kBuilding || steward_reaped_ || phase_ >= Phase::kClosing) {
    // Nobody knows how far it had come, or it was being killed already.
    phase_ = Phase::kStanding;  // kill() goes on from any phase but the last
    return kill(closing_cause_ == Cause::kNone ? Cause::kRestart : closing_cause_);
  }
  resyncing_ = true;
  link_.send(proto::Resync{KeeperLink::resync_nonce()});
  if (closing_cause_ == Cause::kNone) return start_deadline(kResyncDeadline);
  // Each within what is left of its own times; who was told before is not told again.
  for (Worker* worker : processes()) worker->leave(closing_cause_);
  try_close();
}

// What was to be started and never reached the steward is given up; everything else goes on.
void Sandbox::on_resynced() {
  if (!resyncing_ || phase_ != Phase::kStanding) return;
  const bool answered = deadline_.active() || closing_cause_ != Cause::kNone;
  if (closing_cause_ == Cause::kNone) stop_deadline();
  resyncing_ = false;
  std::vector<Worker*> lost;
  for (Worker* worker : processes()) {
    if (answered && worker->pid() == 0 && !said_workers_.contains(worker->id())) lost.push_back(worker);
  }
  said_workers_.clear();
  for (Worker* worker : lost) {
    worker->kill(Cause::kRestart);
    worker->on_steward_lost();
  }
  listener_.on_sandbox_resynced(*this);
}

}  // namespace rowhouse::supervisor
