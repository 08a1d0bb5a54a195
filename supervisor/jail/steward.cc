#include "supervisor/jail/steward.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "proto/common_messages.h"

namespace rowhouse::jail {

Status Steward::prepare() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (::sigprocmask(SIG_BLOCK, &child, nullptr) != 0) return system_error("sigprocmask");
  children_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!children_.valid()) return system_error("signalfd");
  files_.begin(clock_.now());
  return {};
}

Error Steward::run() {
  for (;;) {
    const Status status = serve_turn();
    if (!status.ok()) return status.error();
  }
}

Status Steward::serve_turn() {
  const bool has_news = supervised_ && (next_row_ || touch_unsaid_ || workers_.find_ended() != nullptr);
  pollfd waiting[] = {
      {children_.get(), POLLIN, 0},
      {supervised_ ? control_ : -1, static_cast<short>(has_news ? POLLIN | POLLOUT : POLLIN), 0},
      {files_.descriptor(), POLLIN, 0}};
  if (::poll(waiting, 3, files_.timeout_ms(clock_.now())) < 0) {
    if (errno == EINTR) return {};
    return system_error("poll");
  }
  // Orders first: of a worker that a template has forked the supervisor speaks before it can end.
  if ((waiting[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) RH_TRY(on_orders());
  if (waiting[0].revents != 0) on_children();
  if (waiting[2].revents != 0) files_.on_readable(clock_.now());
  look_at_files();
  return send_reports();
}

Status Steward::on_orders() {
  pollfd more{control_, POLLIN, 0};
  do {
    RH_TRY(on_control());
  } while (supervised_ && ::poll(&more, 1, 0) > 0);
  return {};
}

Status Steward::on_control() {
  auto incoming = proto::receive_control(control_);
  if (!incoming.ok() && incoming.error().code == ErrorCode::kClosed) {
    supervised_ = false;
    return {};
  }
  if (!incoming.ok() && incoming.error().code == ErrorCode::kWouldBlock) return {};
  RH_TRY(incoming);
  if (incoming.value().type == proto::MessageType::kResync) {
    RH_ASSIGN(const proto::Resync resync, proto::decode_message<proto::Resync>(incoming.value()));
    resync_nonce_ = resync.nonce;
    next_row_ = 0;
    touch_unsaid_ = was_touched_;
    return {};
  }
  auto& descriptors = incoming.value().descriptors;
  if (incoming.value().type == proto::MessageType::kReap) {
    RH_ASSIGN(const proto::Reap reap, proto::decode_message<proto::Reap>(incoming.value()));
    on_reap(reap, std::move(descriptors[0]));
    return {};
  }
  const SpawnRole role =
      incoming.value().type == proto::MessageType::kSpawnTemplate ? SpawnRole::kTemplate : SpawnRole::kWorker;
  std::uint32_t worker = 0;
  if (role == SpawnRole::kTemplate) {
    RH_ASSIGN(const proto::SpawnTemplate spawn, proto::decode_message<proto::SpawnTemplate>(incoming.value()));
    worker = spawn.worker;
  } else {
    RH_ASSIGN(const proto::Spawn spawn, proto::decode_message<proto::Spawn>(incoming.value()));
    worker = spawn.worker;
  }
  return on_spawn(worker, role, {descriptors[0].get(), descriptors[1].get(), descriptors[2].get()});
}

Status Steward::on_spawn(std::uint32_t worker, SpawnRole role, const WorkerDescriptors& descriptors) {
  if (workers_.contains(worker)) return make_error(ErrorCode::kInvalid, "Spawn of a worker that lives");
  WorkerRow* row = workers_.find_free();
  if (row == nullptr) return proto::send_control(control_, proto::SpawnFailed{worker, EAGAIN});
  StartError& error = workers_.start_error(*row);
  const pid_t pid = ::fork();
  if (pid == 0) start_worker(program_, role, descriptors, error);
  if (pid < 0) error.store(errno, std::memory_order_relaxed);
  *row = {pid < 0 ? WorkerState::kEnded : WorkerState::kLiving, worker, pid, 0, {}};
  return {};
}

// SECURITY: whoever claims to be a worker is one only as a child of ours: the end of anybody else's child could be told
// by nobody (test_steward.cc).
void Steward::on_reap(const proto::Reap& reap, UniqueFd process) {
  if (workers_.contains(reap.worker)) return;
  WorkerRow* row = workers_.find_free();
  if (row == nullptr) {
    static_cast<void>(proto::send_control(control_, proto::SpawnFailed{reap.worker, EAGAIN}));
    return;
  }
  siginfo_t ignored{};
  const bool ours =
      ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &ignored, WEXITED | WNOHANG | WNOWAIT) == 0;
  if (!ours) workers_.start_error(*row).store(errno, std::memory_order_relaxed);
  *row = {ours ? WorkerState::kLiving : WorkerState::kEnded, reap.worker, 0, 0, std::move(process)};
}

void Steward::on_children() {
  // The descriptor only wakes us; several ends may share one signal, so everything that can be reaped is.
  signalfd_siginfo ignored;
  while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
  }
  // Looked at before it is reaped, while nobody else can have its pid.
  for (siginfo_t ended{}; ::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0; ended = {}) {
    WorkerRow* row = workers_.find_living(ended.si_pid);
    int wait_status = 0;
    if (::waitpid(ended.si_pid, &wait_status, WNOHANG) != ended.si_pid) return;
    if (row == nullptr) continue;  // an orphan of the app's
    row->state = WorkerState::kEnded;
    row->wait_status = wait_status;
    row->process.reset();
  }
}

void Steward::look_at_files() {
  const Instant now = clock_.now();
  if (files_.timeout_ms(now) != 0 || !files_.look(now)) return;
  was_touched_ = touch_unsaid_ = true;
}

// Everything that is not free, before the ends that are told next.
Status Steward::send_rows() {
  while (next_row_) {
    const WorkerRow* row = workers_.find_used(*next_row_);
    const Status sent = row != nullptr ? proto::send_control(control_, proto::StewardWorker{row->worker})
                                       : proto::send_control(control_, proto::Resynced{resync_nonce_});
    if (!sent.ok()) return sent;
    next_row_.reset();
    if (row != nullptr) next_row_ = workers_.index_of(*row) + 1;
  }
  return {};
}

Status Steward::send_reports() {
  if (const Status said = send_rows(); !said.ok()) {
    if (said.error().code == ErrorCode::kWouldBlock) return {};
    if (said.error().code != ErrorCode::kClosed) return said;
    next_row_.reset();
    supervised_ = false;
  }
  if (touch_unsaid_ && supervised_) {
    const Status said = proto::send_control(control_, proto::Touched{});
    if (!said.ok() && said.error().code != ErrorCode::kWouldBlock && said.error().code != ErrorCode::kClosed) return said;
    if (said.ok()) touch_unsaid_ = false;
  }
  while (WorkerRow* row = workers_.find_ended()) {
    const std::int32_t error = workers_.start_error(*row).load(std::memory_order_relaxed);
    const Status sent =
        error != 0 ? proto::send_control(control_, proto::SpawnFailed{row->worker, error})
                   : proto::send_control(control_, proto::WorkerExited{row->worker, row->wait_status});
    // A supervisor that does not read gets the rest when it does; one that has gone gets nothing.
    if (!sent.ok() && sent.error().code == ErrorCode::kWouldBlock) return {};
    if (!sent.ok() && sent.error().code == ErrorCode::kClosed) supervised_ = false;
    if (!sent.ok() && sent.error().code != ErrorCode::kClosed) return sent;
    row->state = WorkerState::kFree;
    row->process.reset();
  }
  return {};
}

}  // namespace rowhouse::jail
