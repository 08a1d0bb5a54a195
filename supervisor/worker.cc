#include "supervisor/worker.h"

#include <sys/syscall.h>
#include <unistd.h>

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

}  // namespace

Worker::Worker(uv_loop_t* loop, WorkerOrder order, WorkerListener& listener)
    : loop_(loop),
      listener_(listener),
      id_(order.id),
      uid_(order.uid),
      steward_(order.steward),
      leaf_(std::move(order.leaf)),
      lifeline_(std::move(order.lifeline)),
      times_(order.times),
      clock_(order.clock),
      life_(new_worker_life(times_, clock_->now())),
      ordered_at_ms_(uv_now(loop)),
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
  deadline_.start(std::chrono::ceil<std::chrono::milliseconds>(times_.startup));
}

// The timer follows the deadline, then things are done: the last may be the end of this worker.
void Worker::on_event(WorkerEvent event) {
  const std::optional<Instant> before = life_.deadline;
  const Instant now = clock_->now();
  const WorkerActions actions = step(life_, event, times_, now);
  if (!life_.deadline) {
    deadline_.stop();
  } else if (life_.deadline != before || event == WorkerEvent::kTimeOver) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*life_.deadline - now);
    deadline_.start(std::max(left, std::chrono::milliseconds(0)));
  }
  act(actions);
}

void Worker::act(const WorkerActions& actions) {
  if (actions.go) [[maybe_unused]] const Status sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kGo, 0});
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

Status Worker::send_channel(std::uint32_t index, int channel) {
  return proto::send_lifeline(lifeline_.get(), {LifelineType::kChannel, index}, std::span(&channel, 1));
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

void Worker::write_stacks() {
  if (life_.state == WorkerState::kReady || life_.state == WorkerState::kDraining) {
    signal_process(pidfd_, proto::kStacksSignal);
  }
}

// The first word counts.
void Worker::decide(Cause cause, std::int32_t argument) {
  if (facts_.decided != Cause::kNone || ended_) return;
  facts_.decided = cause;
  facts_.decided_argument = argument;
}

void Worker::kill(Cause cause, std::int32_t argument) {
  decide(cause, argument);
  kill_leaf();
  signal_process(pidfd_, SIGKILL);
  if (pidfd_.valid() || ended_) return;
  // Not born: its process sits among the steward's, and the steward reports when it gives up on the lifeline.
  lifeline_poll_.reset();
  close_foreign_socket(std::move(lifeline_));
  ended_ = true;
  deadline_.start(std::chrono::duration_cast<std::chrono::milliseconds>(kStatusTime));
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
    const auto message = receive_message(lifeline_.get(), buffer);
    if (!message.ok() && message.error().code == ErrorCode::kTooLarge) continue;  // as little a record as any other
    if (!message.ok()) {
      // End of file: the lifeline is over, the pidfd tells the rest.
      if (message.error().code != ErrorCode::kWouldBlock) lifeline_poll_->stop();
      return;
    }
    const auto record = proto::decode_lifeline(ByteSpan(buffer).first(message.value().size));
    if (record.ok() && message.value().descriptors.empty()) on_record(record.value(), message.value());
  }
}

void Worker::on_record(const proto::LifelineRecord& record, const ReceivedMessage& message) {
  switch (record.type) {
    case LifelineType::kBorn:
      if (life_.state == WorkerState::kSpawning) on_born(message);
      return;
    case LifelineType::kReady:
      // One whose time was over is being shown the stacks of, and ends.
      if (facts_.decided != Cause::kNone) return;
      runs_event_loop_ = (record.number & proto::kReadyAsgi) != 0;
      was_ready_ = true;
      on_event(WorkerEvent::kReady);
      return;
    case LifelineType::kFailed:
      if (life_.state != WorkerState::kLoading || facts_.failed_step) return;
      if (record.number > 0 && record.number <= static_cast<std::uint32_t>(last_value(proto::StartStep{}))) {
        facts_.failed_step = static_cast<proto::StartStep>(record.number);
      }
      return;
    case LifelineType::kSeccomp:
      if (!facts_.seccomp) facts_.seccomp = record.number;
      return;
    case LifelineType::kDrained:
      if (life_.state == WorkerState::kDraining) facts_.drained = true;
      return;
    case LifelineType::kGo:
    case LifelineType::kChannel:
    case LifelineType::kDrain: return;  // ours to send
  }
}

void Worker::on_born(const ReceivedMessage& message) {
  if (!message.credentials || message.credentials->uid != uid_ || message.credentials->pid <= 0) return;
  const pid_t pid = message.credentials->pid;
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  // The pidfd first, then the checks, then a look whether it still runs: the number cannot have been reused.
  const bool ours = pidfd.valid() && steward_->contains(pid) && !has_ended(pidfd);
  if (!ours) {
    log_error("BORN from a process outside its sandbox", {{"worker", id_}, {"pid", pid}});
    return kill(Cause::kSpawn);
  }
  if (const Status moved = leaf_.attach(pid); !moved.ok()) {
    log_error("cannot move a worker into its cgroup", {{"worker", id_}, {"reason", moved.error()}});
    signal_process(pidfd, SIGKILL);
    return kill(Cause::kSpawn);
  }
  pid_ = pid;
  pidfd_ = std::move(pidfd);
  pidfd_poll_ = std::make_unique<Poll>(loop_, pidfd_.get(), [this](int) { on_process_end(); });
  pidfd_poll_->watch(UV_READABLE);
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
  ending.process = {static_cast<std::uint32_t>(pid_), static_cast<std::uint32_t>(uv_now(loop_) - ordered_at_ms_), was_ready_};
  listener_.on_worker_gone(*this, ending);
}

}  // namespace rowhouse::supervisor
