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

constexpr std::chrono::seconds kStatusWait{2};
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
      kill_again_(loop, [this] { kill_leaf(); }),
      deadline_(loop,
                [this] {
                  if (ended_) return finish();
                  kill(Cause::kStartTimeout);
                }),
      lifeline_poll_(std::make_unique<Poll>(loop, lifeline_.get(), [this](int) { on_lifeline(); })) {
  lifeline_poll_->watch(UV_READABLE);
  deadline_.start(order.startup);
}

Status Worker::send_channel(std::uint32_t index, int channel) {
  return proto::send_lifeline(lifeline_.get(), {LifelineType::kChannel, index}, std::span(&channel, 1));
}

void Worker::drain(Cause cause) {
  if (state_ == WorkerState::kDying || state_ == WorkerState::kDraining) return;
  if (facts_.decided == Cause::kNone) facts_.decided = cause;
  const bool ready = state_ == WorkerState::kReady;
  state_ = WorkerState::kDraining;
  deadline_.stop();
  if (!ready || !proto::send_lifeline(lifeline_.get(), {LifelineType::kDrain, 0}).ok()) kill(cause);
}

void Worker::terminate() {
  signal_process(pidfd_, SIGTERM);
}

void Worker::kill(Cause cause) {
  if (facts_.decided == Cause::kNone && !ended_) facts_.decided = cause;
  kill_leaf();
  signal_process(pidfd_, SIGKILL);
  if (pidfd_.valid() || ended_) return;
  // Not born: its process sits among the steward's, and the steward reports when it gives up on the lifeline.
  lifeline_poll_.reset();
  close_foreign_socket(std::move(lifeline_));
  ended_ = true;
  deadline_.start(kStatusWait);
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
      if (state_ == WorkerState::kSpawning) on_born(message);
      return;
    case LifelineType::kReady:
      if (state_ != WorkerState::kLoading) return;
      state_ = WorkerState::kReady;
      deadline_.stop();
      return listener_.on_worker_ready(*this);
    case LifelineType::kFailed:
      if (state_ != WorkerState::kLoading || facts_.failed_step) return;
      if (record.number > 0 && record.number <= static_cast<std::uint32_t>(last_value(proto::StartStep{}))) {
        facts_.failed_step = static_cast<proto::StartStep>(record.number);
      }
      return;
    case LifelineType::kSeccomp:
      if (!facts_.seccomp) facts_.seccomp = record.number;
      return;
    case LifelineType::kDrained:
      if (state_ == WorkerState::kDraining) facts_.drained = true;
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
  state_ = WorkerState::kLoading;
  [[maybe_unused]] const Status sent = proto::send_lifeline(lifeline_.get(), {LifelineType::kGo, 0});
}

void Worker::on_process_end() {
  if (ended_) return;
  on_lifeline();  // what it said last
  ended_ = true;
  pidfd_poll_->stop();
  const WorkerState before = state_;
  state_ = WorkerState::kDying;
  // A child that it left behind must not live on in its name.
  kill_leaf();
  deadline_.start(kStatusWait);
  if (before == WorkerState::kReady || before == WorkerState::kDraining) listener_.on_worker_lost(*this);
  if (facts_.wait_status) finish();
}

void Worker::on_exit_status(int wait_status) {
  if (!facts_.wait_status) facts_.wait_status = wait_status;
  if (!pidfd_.valid() || ended_) {
    state_ = WorkerState::kDying;
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
  state_ = WorkerState::kDying;
  deadline_.stop();
  const LeafCounters counters = leaf_.counters();
  facts_.oom_killed = counters.oom_kills > 0;
  facts_.forks_refused = counters.forks_refused;
  if (facts_.oom_killed) facts_.memory_bytes = leaf_.peak_memory_bytes();
  kill_again_.stop();  // its sandbox goes on with what is left
  listener_.on_worker_gone(*this, classify_ending(facts_));
}

}  // namespace rowhouse::supervisor
