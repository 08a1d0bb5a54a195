#include "supervisor/sandbox.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/foreign_files.h"
#include "base/log.h"
#include "proto/common_messages.h"
#include "supervisor/log_pipe.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::Ending;
using proto::JailStep;

constexpr std::chrono::seconds kBuildDeadline{10};
constexpr std::chrono::seconds kStewardStatusDeadline{2};
// Between two looks at groups that the kernel does not let go of yet; doubled each time.
constexpr std::chrono::milliseconds kFirstSweepPause{5}, kLastSweepPause{100};
constexpr std::uint32_t kOpenFiles = 4096;
constexpr std::uint64_t kTemporaryBytes = 64 * 1024 * 1024;
constexpr std::uint32_t kTemporaryInodes = 16 * 1024;

// All of /usr is in every sandbox.
bool is_of_the_system(std::string_view prefix) {
  return prefix == "/usr" || prefix.starts_with("/usr/");
}

Result<LaunchedProcess> launch_jail(const SandboxOrder& order, int control, int output) {
  const proto::KeptRecord record{proto::KeptKind::kSteward, order.app_number, order.generation, 0};
  RH_ASSIGN(const std::vector<UniqueFd> procs, order.steward.open_v1_procs());
  LaunchOrder launch;
  launch.kind = LaunchKind::kSandbox;
  launch.record = record;
  launch.network = order.network.mode;
  launch.program = order.programs->jail.get();
  launch.arguments = {"rowhouse-jail", order.tenant->name + "/" + order.app};
  launch.control = control;
  launch.output = output;
  launch.cgroup_v2 = order.steward.v2_directory();
  for (const UniqueFd& fd : procs) launch.cgroup_v1_procs.push_back(fd.get());
  return order.launcher->launch(launch);
}

}  // namespace

Result<std::unique_ptr<Sandbox>> Sandbox::start(SandboxOrder order, SandboxListener& listener) {
  RH_ASSIGN(SocketPair control, create_seqpacket_pair());
  RH_ASSIGN(LogPipeEnds log, create_log_pipe(*order.tenant));
  const proto::KeptRecord record{proto::KeptKind::kSteward, order.app_number, order.generation, 0};
  KeeperLink& keeper = order.launcher->keeper();
  // From before the clone on, so that a supervisor after us finds whatever was started.
  RH_ASSIGN(NoteRow<SandboxNote> note, order.notebook->take<SandboxNote>());
  RH_ASSIGN(Kept kept, Kept::keep(keeper, record, control.ours.get()));
  RH_ASSIGN(Kept kept_log,
            Kept::keep(keeper, {proto::KeptKind::kLog, record.app, record.generation, 0}, log.read_end.get()));
  SandboxNote first;
  first.app = record.app;
  first.generation = record.generation;
  note.write(first);
  RH_ASSIGN(LaunchedProcess steward, launch_jail(order, control.theirs.get(), log.write_end.get()));
  std::unique_ptr<Sandbox> sandbox(
      new Sandbox(std::move(order), listener, std::move(steward), std::move(control.ours)));
  sandbox->note_ = std::move(note);
  sandbox->kept_control_ = std::move(kept);
  sandbox->write_note();
  listener.on_log_pipe(*sandbox, 0, 0, std::move(log.read_end), std::move(kept_log));
  sandbox->send_setup();
  return sandbox;
}

Sandbox::Sandbox(SandboxOrder order, SandboxListener& listener, LaunchedProcess steward, UniqueFd control)
    : order_(std::move(order)),
      listener_(listener),
      steward_process_(std::move(steward)),
      deadline_(order_.loop, [this] { on_deadline(); }),
      sweep_(order_.loop, [this] { on_sweep(); }),
      link_(order_.loop, std::move(control), proto::Peer::kSteward,
            {[this](proto::IncomingMessage& message) { on_message(message); },
             [this](const char* reason) { on_steward_lost(reason); }}) {
  start_deadline(kBuildDeadline);
}

void Sandbox::send_setup() {
  const auto worker = detach_mount(order_.python->program.get());
  if (!worker.ok()) return fail_soon(JailStep::kReceiveSetup);
  link_.send(proto::JailMount{proto::Path::cut(proto::kWorkerPathInSandbox)}, {worker.value().get()});
  if (const std::string& prefix = order_.python->prefix; !is_of_the_system(prefix)) {
    const UniqueFd directory(::open(prefix.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto mount = directory.valid() ? detach_mount(directory.get()) : system_error("open the prefix");
    if (!mount.ok()) {
      log_error("cannot start a sandbox", {{"app", order_.tenant->name + "/" + order_.app},
                                           {"problem", "Python " + order_.python->version + " is not at " + prefix +
                                                           ", where its worker was built for it"},
                                           {"reason", mount.error()}});
      return fail_soon(JailStep::kReceiveSetup);
    }
    link_.send(proto::JailMount{proto::Path::cut(prefix)}, {mount.value().get()});
  }
  std::string problem;
  const auto directories = open_socket_directories(order_.network, problem);
  if (!directories.ok()) {
    log_error("cannot start a sandbox", {{"app", order_.tenant->name + "/" + order_.app},
                                         {"problem", problem},
                                         {"reason", directories.error()}});
    return fail_soon(JailStep::kNetwork);
  }
  for (const SocketDirectory& directory : directories.value()) {
    link_.send(proto::JailMount{proto::Path::cut(directory.path)}, {directory.mount.get()});
  }
  for (const std::uint16_t port : order_.network.ports) link_.send(proto::JailPort{port});
  for (const std::string& path : order_.touches) link_.send(proto::JailWatch{proto::Path::cut(path)});
  proto::JailSetup setup;
  setup.uid = order_.tenant->uid;
  setup.gid = order_.tenant->gid;
  setup.tenant = proto::Name::cut(order_.tenant->name);
  setup.app = proto::Name::cut(order_.app);
  setup.user = proto::Name::cut(order_.tenant->user);
  setup.home = proto::Path::cut(order_.tenant->home);
  setup.network = order_.network.mode;
  setup.open_files = kOpenFiles;
  setup.tmp_bytes = kTemporaryBytes;
  setup.tmp_inodes = kTemporaryInodes;
  link_.send(setup);
}

void Sandbox::close(Cause cause) {
  if (phase_ == Phase::kClosed || closing_cause_ != Cause::kNone) return;
  closing_cause_ = cause;
  write_note();
  if (phase_ == Phase::kBuilding) return kill(cause);
  // One that has failed has killed them, and that is what they died of.
  if (phase_ == Phase::kStanding) {
    for (Worker* worker : processes()) worker->leave(cause);
  }
  try_close();
}

void Sandbox::kill(Cause cause) {
  if (phase_ == Phase::kClosed) return;
  if (closing_cause_ == Cause::kNone) closing_cause_ = cause;
  phase_ = Phase::kClosing;
  write_note();
  stop_deadline();
  for (Worker* worker : processes()) worker->kill(cause);
  try_close();
}

void Sandbox::on_deadline() {
  if (steward_lost_) return fail({Cause::kSpawn, 0});
  // A steward that hangs shows by itself.
  if (resyncing_ && closing_cause_ == Cause::kNone) return on_resynced();
  if (phase_ == Phase::kBuilding) fail({Cause::kSpawn, static_cast<int>(failed_step_)});
}

void Sandbox::on_message(proto::IncomingMessage& message) {
  if (message.type == proto::MessageType::kJailFailed) {
    const auto failed = proto::decode_message<proto::JailFailed>(message);
    if (failed.ok()) {
      log_warning("jail failed", {{"app", order_.tenant->name + "/" + order_.app},
                                  {"step", static_cast<int>(failed.value().step)},
                                  {"errno", failed.value().system_errno}});
    }
    return fail({Cause::kSpawn, failed.ok() ? static_cast<int>(failed.value().step) : 0});
  }
  if (message.type == proto::MessageType::kStewardReady) {
    const auto ready = proto::decode_message<proto::StewardReady>(message);
    if (!ready.ok()) return fail({Cause::kSpawn, 0});
    missing_walls_ = ready.value().missing_walls;
    if (phase_ != Phase::kBuilding) return;
    phase_ = Phase::kStanding;
    link_.set_running();
    stop_deadline();
    return listener_.on_sandbox_standing(*this);
  }
  if (message.type == proto::MessageType::kStewardWorker) {
    const auto worker = proto::decode_message<proto::StewardWorker>(message);
    if (worker.ok() && find_process(worker.value().worker) != nullptr) said_workers_.insert(worker.value().worker);
    return;
  }
  if (message.type == proto::MessageType::kResynced) {
    const auto resynced = proto::decode_message<proto::Resynced>(message);
    if (resynced.ok() && resynced.value().nonce == KeeperLink::resync_nonce()) return on_resynced();
    return said_workers_.clear();
  }
  if (message.type == proto::MessageType::kTouched) return listener_.on_sandbox_touched(*this);
  if (message.type == proto::MessageType::kWorkerExited) return on_worker_exited(message);
  on_spawn_failed(message);
}

void Sandbox::on_worker_exited(const proto::IncomingMessage& message) {
  const auto exited = proto::decode_message<proto::WorkerExited>(message);
  if (!exited.ok()) return fail({Cause::kSpawn, 0});
  if (Worker* worker = find_process(exited.value().worker)) worker->on_exit_status(exited.value().wait_status);
}

void Sandbox::on_spawn_failed(const proto::IncomingMessage& message) {
  const auto failed = proto::decode_message<proto::SpawnFailed>(message);
  if (!failed.ok()) return fail({Cause::kSpawn, 0});
  log_warning("spawn failed", {{"app", order_.tenant->name + "/" + order_.app},
                               {"worker", failed.value().worker},
                               {"errno", failed.value().system_errno}});
  Worker* worker = find_process(failed.value().worker);
  if (worker == nullptr) return;
  // What forks so that the steward does not get the worker would do so again.
  const bool refused = worker->role() == WorkerRole::kForked && failed.value().system_errno != EAGAIN;
  if (refused && template_ != nullptr) template_->kill(Cause::kSpawn);
  worker->kill(Cause::kSpawn);
  worker->on_exit_status(0);
}

// Its exit status says why, and comes as soon as the keeper has reaped it.
void Sandbox::on_steward_lost(std::string_view reason) {
  if (phase_ != Phase::kStanding || reason != PeerLink::kClosed) return fail({Cause::kSpawn, 0});
  steward_lost_ = true;
  signal_process(steward_process_.pidfd, SIGKILL);
  start_deadline(kStewardStatusDeadline);
}

void Sandbox::on_steward_exit(int code, int status) {
  steward_reaped_ = true;
  Ending ending{code == CLD_EXITED ? Cause::kExit : Cause::kSignal, status};
  const int step = status - proto::kJailExitBase;
  if (code == CLD_EXITED && step > 0 && step <= static_cast<int>(last_value(JailStep{}))) {
    ending = {Cause::kSpawn, step};
  }
  if (phase_ != Phase::kClosing) fail(ending);
  try_close();
}

void Sandbox::fail_soon(JailStep step) {
  failed_step_ = step;
  deadline_.start(std::chrono::milliseconds(0));
}

void Sandbox::fail(Ending ending) {
  if (phase_ == Phase::kClosing || phase_ == Phase::kClosed) return;
  const bool expected = closing_cause_ != Cause::kNone;
  phase_ = Phase::kClosing;
  write_note();
  stop_deadline();
  [[maybe_unused]] const Status killed = order_.group.kill();
  // The owner hears that it has failed before it hears that nothing is left of it.
  failing_ = true;
  for (Worker* worker : processes()) worker->on_steward_lost();
  failing_ = false;
  // A limit that is lowered below what is used may end the steward too.
  if (order_.steward.counters().oom_kills > 0) ending = {Cause::kOom, 0};
  if (!expected) listener_.on_sandbox_failed(*this, ending);
  try_close();
}

// Gone when every worker is, the steward was reaped and the kernel has let go of the cgroup.
void Sandbox::try_close() {
  if (phase_ == Phase::kClosed || phase_ == Phase::kBuilding || failing_) return;
  if (phase_ == Phase::kStanding && (closing_cause_ == Cause::kNone || !processes().empty())) return;
  phase_ = Phase::kClosing;
  write_note();
  stop_deadline();
  if (!processes().empty()) return;
  const Status killed = order_.group.exists() ? order_.group.kill() : Status();
  signal_process(steward_process_.pidfd, SIGKILL);
  // Whoever could count in it has been reaped or is about to be: what it counted is taken over before it
  // goes.
  if (steward_reaped_ && order_.group.exists()) {
    last_.raise_to(counters());
    if (order_.group.remove().ok()) removed_ = last_;
  }
  if (!killed.ok() || order_.group.exists() || !steward_reaped_) return sweep_later();
  old_leaves_.clear();
  phase_ = Phase::kClosed;
  listener_.on_sandbox_closed(*this);
}

LeafCounters Sandbox::counters() const {
  LeafCounters sum = removed_;
  if (!order_.group.exists()) return sum;
  for (const Worker* worker : processes()) sum += worker->counters();
  for (const OldLeaf& leaf : old_leaves_) sum += leaf.counted;
  return sum += order_.steward.counters();
}

// A leaf whose process has ended may still hold others: what the kernel does not let us remove is killed
// again.
void Sandbox::remove_old_leaves() {
  std::erase_if(old_leaves_, [this](OldLeaf& leaf) {
    leaf.counted.raise_to(leaf.group.counters());
    if (!leaf.group.remove().ok()) {
      [[maybe_unused]] const Status killed = leaf.group.kill();
      return false;
    }
    removed_ += leaf.counted;
    return true;
  });
  if (!old_leaves_.empty() && !sweep_.active()) sweep_later();
}

void Sandbox::sweep_later() {
  sweep_pause_ = std::clamp(2 * sweep_pause_, kFirstSweepPause, kLastSweepPause);
  sweep_.start(sweep_pause_);
}

void Sandbox::on_sweep() {
  if (order_.group.exists()) remove_old_leaves();
  if (phase_ == Phase::kStanding && old_leaves_.empty()) sweep_pause_ = {};
  try_close();
}

}  // namespace rowhouse::supervisor
