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
  return {};
}

Error Steward::run() {
  for (;;) {
    const Status status = serve_turn();
    if (!status.ok()) return status.error();
  }
}

Status Steward::serve_turn() {
  const bool has_news = supervised_ && (next_row_ || workers_.find_ended() != nullptr);
  pollfd waiting[] = {
      {children_.get(), POLLIN, 0},
      {supervised_ ? control_ : -1, static_cast<short>(has_news ? POLLIN | POLLOUT : POLLIN), 0}};
  if (::poll(waiting, 2, -1) < 0) {
    if (errno == EINTR) return {};
    return system_error("poll");
  }
  if (waiting[0].revents != 0) on_children();
  if ((waiting[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) RH_TRY(on_control());
  return send_reports();
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
    return {};
  }
  const auto& descriptors = incoming.value().descriptors;
  RH_ASSIGN(const proto::Spawn spawn, proto::decode_message<proto::Spawn>(incoming.value()));
  return on_spawn(spawn, {descriptors[0].get(), descriptors[1].get(), descriptors[2].get()});
}

Status Steward::on_spawn(const proto::Spawn& spawn, const WorkerDescriptors& descriptors) {
  if (workers_.contains(spawn.worker)) return make_error(ErrorCode::kInvalid, "Spawn of a worker that lives");
  WorkerRow* row = workers_.find_free();
  if (row == nullptr) return proto::send_control(control_, proto::SpawnFailed{spawn.worker, EAGAIN});
  StartError& error = workers_.start_error(*row);
  const pid_t pid = ::fork();
  if (pid == 0) start_worker(program_, descriptors, error);
  if (pid < 0) error.store(errno, std::memory_order_relaxed);
  *row = {pid < 0 ? WorkerState::kEnded : WorkerState::kLiving, spawn.worker, pid, 0};
  return {};
}

void Steward::on_children() {
  // The descriptor only wakes us; several ends may share one signal, so everything that can be reaped is.
  signalfd_siginfo ignored;
  while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
  }
  int wait_status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    WorkerRow* row = workers_.find_living(pid);
    if (row == nullptr) continue;  // an orphan of the app's
    row->state = WorkerState::kEnded;
    row->wait_status = wait_status;
  }
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
  }
  return {};
}

}  // namespace rowhouse::jail
