#include "supervisor/worker.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/foreign_files.h"
#include "base/log.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::LifelineType;
using proto::WorkerState;

constexpr std::chrono::milliseconds kKillPause{5};
constexpr int kRecordsPerTurn = 16;
constexpr std::uint32_t kAllApps = (1U << proto::kMaxAppsPerShare) - 1;

}  // namespace

Worker::Worker(uv_loop_t* loop, WorkerOrder order, WorkerListener& listener)
    : loop_(loop),
      listener_(listener),
      app_(order.app),
      generation_(order.generation),
      id_(order.id),
      uid_(order.uid),
      role_(order.role),
      leaf_(std::move(order.leaf)),
      lifeline_(std::move(order.lifeline)),
      times_(order.times),
      clock_(order.clock),
      life_(new_worker_life(times_, clock_->now())),
      ordered_at_(clock_->now()),
      other_logs_(std::move(order.other_logs)),
      keeper_(order.keeper),
      kept_lifeline_(std::move(order.kept_lifeline)),
      note_(std::move(order.note)),
      kill_again_(loop, [this] { kill_leaf(); }),
      deadline_(loop,
                [this] {
                  if (ended_ && life_.state != WorkerState::kDying) return finish();
                  const bool unready = life_.state == WorkerState::kSpawning || life_.state == WorkerState::kLoading;
                  if (unready && facts_.decided == Cause::kNone) facts_.decided = Cause::kStartTimeout;
                  on_event(WorkerEvent::kTimeOver);
                }),
      lifeline_poll_(std::make_unique<Poll>(loop, lifeline_.get(), [this](int) { on_lifeline(); })) {
  lifeline_poll_->watch(UV_READABLE);
  follow_deadline(clock_->now());
  write_note();
}

void Worker::write_note() {
  WorkerNote note;
  note.app = app_;
  note.generation = generation_;
  note.worker = id_;
  note.pid = pid_;
  note.deadline_us = life_.deadline ? in_us(*life_.deadline) : 0;
  note.stacks_at_us = life_.stacks_at ? in_us(*life_.stacks_at) : 0;
  note.ready_at_us = in_us(ready_at_);
  note.pressure = static_cast<std::uint8_t>(life_.pressure);
  note.proved = proved_;
  note.random = notes.random;
  note.row = rows_.empty() ? 0 : rows_.front() + 1;
  for (std::size_t i = 1; i < rows_.size(); ++i) note.other_rows[i - 1] = rows_[i] + 1;
  note.state = life_.state;
  note.wait_status = facts_.wait_status.value_or(0);
  note.has_wait_status = facts_.wait_status.has_value();
  note.seccomp = facts_.seccomp.value_or(0);
  note.has_seccomp = facts_.seccomp.has_value();
  note.drained = facts_.drained;
  note.killed = killed_;
  note.ended = ended_;
  note.decided = facts_.decided;
  note.decided_argument = facts_.decided_argument;
  note.failed_step = facts_.failed_step ? static_cast<std::uint16_t>(*facts_.failed_step) : 0;
  note.runs_event_loop = runs_event_loop(0);
  note.event_loops = static_cast<std::uint8_t>(event_loops_ >> 1);
  note.was_ready = was_ready_;
  note.ordered_at_us = in_us(ordered_at_);
  note.role = role_;
  note_.write(note);
}

void Worker::resume(const WorkerNote& note, UniqueFd pidfd) {
  life_.state = note.state;
  life_.pressure = static_cast<Pressure>(std::min(note.pressure, static_cast<std::uint8_t>(Pressure::kKill)));
  life_.deadline.reset();
  if (note.deadline_us != 0) life_.deadline = from_us(note.deadline_us);
  if (note.stacks_at_us != 0) life_.stacks_at = from_us(note.stacks_at_us);
  ready_at_ = from_us(note.ready_at_us);
  proved_ = note.proved != 0;
  event_loops_ = std::uint32_t{note.event_loops} << 1 | (note.runs_event_loop != 0 ? 1U : 0U);
  was_ready_ = note.was_ready != 0;
  ordered_at_ = from_us(note.ordered_at_us);
  notes.random = note.random;
  pid_ = note.pid;
  facts_.decided = note.decided;
  facts_.decided_argument = note.decided_argument;
  facts_.drained = note.drained != 0;
  if (note.has_wait_status != 0) facts_.wait_status = note.wait_status;
  if (note.has_seccomp != 0) facts_.seccomp = note.seccomp;
  if (note.failed_step != 0) facts_.failed_step = static_cast<proto::StartStep>(note.failed_step);
  const bool serves = life_.state == WorkerState::kReady || life_.state == WorkerState::kDraining;
  if (note.row != 0 && serves) rows_ = rows_in(note);
  // Its last word may have gone with the supervisor before us.
  if (life_.state == WorkerState::kDying && !life_.deadline) life_.deadline = clock_->now() + kStatusTime;
  follow_deadline(clock_->now());
  if (pidfd.valid()) {
    pidfd_ = std::move(pidfd);
    kept_process_ = Kept::take_over(*keeper_, {proto::KeptKind::kWorkerProcess, app_, generation_, id_});
    // Twice says no more than once: the word may have been on its way when the one before us died.
    if (life_.state == WorkerState::kSpawning) life_.state = WorkerState::kLoading;
    const bool drains = life_.state == WorkerState::kDraining && life_.pressure == Pressure::kDrain;
    [[maybe_unused]] Status sent;
    if (life_.state == WorkerState::kLoading) sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kGo, 0});
    if (drains) sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kDrain, 0});
    watch_process();
  }
  const bool was_killed = note.killed != 0 || life_.pressure == Pressure::kKill;
  if (was_killed || (note.ended != 0 && !pidfd_.valid())) kill(facts_.decided);
  write_note();
}

std::vector<std::uint32_t> rows_in(const WorkerNote& note) {
  std::vector<std::uint32_t> rows;
  if (note.row != 0) rows.push_back(note.row - 1);
  for (const std::uint32_t row : note.other_rows) {
    if (row != 0) rows.push_back(row - 1);
  }
  return rows;
}

void Worker::set_rows(std::vector<std::uint32_t> rows) {
  rows_ = std::move(rows);
  write_note();
}

void Worker::set_proved() {
  proved_ = true;
  write_note();
}

void Worker::watch_process() {
  pidfd_poll_ = std::make_unique<Poll>(loop_, pidfd_.get(), [this](int) { on_process_end(); });
  pidfd_poll_->watch(UV_READABLE);
}

void Worker::follow_deadline(Instant now) {
  if (!life_.deadline) return deadline_.stop();
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*life_.deadline - now);
  deadline_.start(std::max(left, std::chrono::milliseconds(0)));
}

// The timer follows the deadline, then it is written down, then things are done: the last may be the end of this
// worker.
void Worker::on_event(WorkerEvent event) {
  // One that was killed before it was born has its time, set in kill(), and no state that could change it.
  const bool killed_unborn = ended_ && !pidfd_.valid();
  if (killed_unborn && life_.state != WorkerState::kDying) return;
  const std::optional<Instant> before = life_.deadline;
  const Instant now = clock_->now();
  const WorkerActions actions = step(life_, event, times_, now);
  if (!life_.deadline || life_.deadline != before || event == WorkerEvent::kTimeOver) follow_deadline(now);
  if (actions.announce) ready_at_ = now;
  write_note();
  act(actions);
}

void Worker::act(const WorkerActions& actions) {
  if (actions.go) send_off();
  if (actions.stacks) signal_process(pidfd_, proto::kStacksSignal);
  // One that does not take it is found out by its deadline.
  if (actions.drain) [[maybe_unused]] const Status sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kDrain, 0});
  if (actions.drain) listener_.on_worker_leaving(*this);
  if (actions.terminate) signal_process(pidfd_, SIGTERM);
  if (actions.kill) kill(facts_.decided);
  if (actions.announce) return listener_.on_worker_ready(*this);
  if (actions.lost) listener_.on_worker_lost(*this);
  if (actions.finish) finish();
}

// One that does not get them is found out by its start-up time.
void Worker::send_off() {
  [[maybe_unused]] Status sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kGo, 0});
  for (std::uint32_t i = 0; i < other_logs_.size(); ++i) {
    const int log = other_logs_[i].get();
    sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kLog, i + 1}, std::span(&log, 1));
  }
  other_logs_.clear();
}

Status Worker::send_channel(std::uint32_t index, std::size_t app, int channel) {
  const std::uint32_t number = static_cast<std::uint32_t>(app) << proto::kChannelAppShift | index;
  return proto::send_lifeline(lifeline_.get(), {LifelineType::kChannel, number}, std::span(&channel, 1));
}

Status Worker::send_fork(std::uint32_t id, int lifeline, int log) {
  const int descriptors[] = {lifeline, log};
  return proto::send_lifeline(lifeline_.get(), {LifelineType::kFork, id}, descriptors);
}

void Worker::leave(Cause cause, std::int32_t argument) {
  decide(cause, argument);
  on_event(WorkerEvent::kLeave);
}

void Worker::on_request_over_time() {
  decide(Cause::kRequestTimeout, 0);
  on_event(WorkerEvent::kStuck);
}

void Worker::on_unneeded() {
  on_event(WorkerEvent::kUnneeded);
}

bool Worker::write_stacks() {
  if (life_.state != WorkerState::kReady && life_.state != WorkerState::kDraining) return false;
  signal_process(pidfd_, proto::kStacksSignal);
  return true;
}

// The first word counts.
void Worker::decide(Cause cause, std::int32_t argument) {
  if (facts_.decided != Cause::kNone || ended_) return;
  facts_.decided = cause;
  facts_.decided_argument = argument;
  write_note();
}

void Worker::kill(Cause cause, std::int32_t argument) {
  decide(cause, argument);
  killed_ = true;
  write_note();
  kill_leaf();
  signal_process(pidfd_, SIGKILL);
  if (pidfd_.valid() || ended_) return;
  // Not born: its process sits among the steward's, and the steward reports when it gives up on the lifeline.  Of one
  // that a template was to fork the steward knows nothing.
  lifeline_poll_.reset();
  close_foreign_socket(std::move(lifeline_));
  ended_ = true;
  write_note();
  const Duration time = role_ == WorkerRole::kForked ? kUnbornTime : kStatusTime;
  deadline_.start(std::chrono::duration_cast<std::chrono::milliseconds>(time));
}

Worker::~Worker() {
  lifeline_poll_.reset();
  close_foreign_socket(std::move(lifeline_));
}

void Worker::kill_leaf() {
  const Status killed = leaf_.kill();
  if (killed.ok()) return;
  kill_again_.start(kKillPause);
  if (killed.error().code == ErrorCode::kWouldBlock) return;
  log_error("cannot kill a worker's cgroup", {{"worker", id_}, {"reason", killed.error()}});
}

void Worker::on_lifeline() {
  std::array<std::uint8_t, proto::kLifelineRecordBytes> buffer;
  for (int i = 0; i < kRecordsPerTurn && lifeline_poll_ != nullptr; ++i) {
    const auto message = peek_message(lifeline_.get(), buffer);
    // One that is too large is as little a record as any other.
    const bool too_large = !message.ok() && message.error().code == ErrorCode::kTooLarge;
    if (!message.ok() && !too_large) {
      if (message.error().code != ErrorCode::kWouldBlock) on_lifeline_end();
      return;
    }
    if (!too_large) {
      const auto record = proto::decode_lifeline(ByteSpan(buffer).first(message.value().size));
      if (record.ok() && message.value().descriptors.empty()) on_record(record.value(), message.value());
    }
    // Only what has been dealt with is taken: whoever comes after us finds the rest.
    if (lifeline_.valid()) drop_message(lifeline_.get());
  }
}

// The pidfd tells the rest, if there is one: else the template has not forked.
void Worker::on_lifeline_end() {
  lifeline_poll_->stop();
  if (role_ == WorkerRole::kForked && life_.state == WorkerState::kSpawning) kill(Cause::kSpawn);
}

void Worker::on_record(const proto::LifelineRecord& record, const ReceivedMessage& message) {
  switch (record.type) {
    case LifelineType::kBorn:
      if (life_.state == WorkerState::kSpawning) on_born(message);
      return;
    case LifelineType::kReady:
      // One whose time was over is being shown the stacks of, and ends.
      if (facts_.decided != Cause::kNone) return;
      event_loops_ = record.number / proto::kReadyAsgi & kAllApps;
      was_ready_ = true;
      on_event(WorkerEvent::kReady);
      return;
    case LifelineType::kFailed:
      // A template may still find before a fork that it cannot.
      if (life_.state != WorkerState::kLoading && role_ != WorkerRole::kTemplate) return;
      if (life_.state > WorkerState::kReady || facts_.failed_step) return;
      if (record.number > 0 && record.number <= static_cast<std::uint32_t>(last_value(proto::StartStep{}))) {
        facts_.failed_step = static_cast<proto::StartStep>(record.number);
      }
      return write_note();
    case LifelineType::kSeccomp:
      if (!facts_.seccomp) facts_.seccomp = record.number;
      return write_note();
    case LifelineType::kDrained:
      if (life_.state == WorkerState::kDraining) facts_.drained = true;
      return write_note();
    case LifelineType::kGo:
    case LifelineType::kChannel:
    case LifelineType::kDrain:
    case LifelineType::kFork:
    case LifelineType::kLog: return;  // ours to send
  }
}

void Worker::on_born(const ReceivedMessage& message) {
  if (!message.credentials || message.credentials->uid != uid_ || message.credentials->pid <= 0) return;
  const pid_t pid = message.credentials->pid;
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The pidfd first, then the checks, then a look whether it still runs: the number cannot have been reused.
  const bool ours = pidfd.valid() && listener_.is_birthplace(*this, pid) && !has_ended(pidfd);
  if (!ours) {
    log_error("BORN from a process outside its sandbox", {{"worker", id_}, {"pid", pid}});
    return kill(Cause::kSpawn);
  }
  if (const Status moved = leaf_.attach(pid); !moved.ok()) {
    log_error("cannot move a worker into its cgroup", {{"worker", id_}, {"reason", moved.error()}});
    signal_process(pidfd, SIGKILL);
    return kill(Cause::kSpawn);
  }
  auto kept = Kept::keep(*keeper_, {proto::KeptKind::kWorkerProcess, app_, generation_, id_}, pidfd.get());
  if (!kept.ok()) {
    signal_process(pidfd, SIGKILL);
    return kill(Cause::kSpawn);
  }
  kept_process_ = std::move(kept).value();
  pid_ = pid;
  pidfd_ = std::move(pidfd);
  watch_process();
  listener_.on_worker_born(*this, pidfd_.get());
  on_event(WorkerEvent::kBorn);
}

void Worker::on_process_end() {
  if (ended_) return;
  on_lifeline();  // what it said last
  ended_ = true;
  pidfd_poll_->stop();
  // A child that it left behind must not live on in its name.
  kill_leaf();
  on_event(WorkerEvent::kEnded);
  if (facts_.wait_status) finish();
}

void Worker::on_exit_status(int wait_status) {
  if (!facts_.wait_status) facts_.wait_status = wait_status;
  write_note();
  if (!pidfd_.valid() || ended_) {
    ended_ = true;
    return finish();
  }
  if (has_ended(pidfd_)) return on_process_end();
  kill(Cause::kProtocol);  // a steward that says so of a living process is not ours any more
}

void Worker::on_steward_lost() {
  if (ended_ || !pidfd_.valid()) {
    ended_ = true;
    return finish();
  }
  kill(facts_.decided);
}

void Worker::finish() {
  if (finished_) return;
  finished_ = true;
  life_.state = WorkerState::kDying;
  deadline_.stop();
  const LeafCounters counters = leaf_.counters();
  facts_.oom_killed = counters.oom_kills > 0;
  facts_.forks_refused = counters.forks_refused;
  if (facts_.oom_killed) facts_.memory_bytes = leaf_.peak_memory_bytes();
  kill_again_.stop();  // its sandbox goes on with what is left
  proto::Ending ending = classify_ending(facts_);
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(clock_->now() - ordered_at_);
  ending.process = {static_cast<std::uint32_t>(pid_), static_cast<std::uint32_t>(age.count()), was_ready_};
  listener_.on_worker_gone(*this, ending);
}

}  // namespace rowhouse::supervisor
