#include "supervisor/keeper.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/log.h"
#include "proto/common_messages.h"
#include "supervisor/launcher.h"

namespace rowhouse::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// After this the keeper ends everything by itself.
constexpr seconds kStopDeadline{90};
constexpr int kMaxQuickDeaths = 6;
// In a row, with growing pauses, over more than ten seconds: what runs serves on meanwhile.
constexpr int kMaxFailedAdoptions = 8;
constexpr seconds kPingPeriod{1};
constexpr std::uint32_t kMaxUnansweredPings = 10;  // counted, so that a host that slept kills nobody

}  // namespace

Status Keeper::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
  return {};
}

void Keeper::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

int Keeper::run() {
  if (const Status opened = open(); !opened.ok()) {
    log_error("cannot start", {{"reason", opened.error()}});
    return 1;
  }
  while (!finished_) {
    std::array<epoll_event, 32> events;
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
    for (int i = 0; i < count; ++i) {
      switch (events[static_cast<std::size_t>(i)].data.u64) {
        case kSignalTag: on_signal(); break;
        case kSocketTag: on_supervisor_ready(); break;
        case kSupervisorTag: on_supervisor_exit(); break;
        default: on_child_exit(events[static_cast<std::size_t>(i)].data.u64);
      }
    }
    flush();
    on_time();
  }
  return exit_status_;
}

Status Keeper::open() {
  RH_TRY(manager_.open());
  RH_TRY(program_.open());
  RH_TRY(open_signals());
  return start_supervisor();
}

Status Keeper::open_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return system_error("sigprocmask");
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return system_error("signalfd");
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return system_error("epoll_create1");
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return system_error("prctl PR_SET_CHILD_SUBREAPER");
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return system_error("getrlimit");
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return system_error("setrlimit");
  return watch(signals_.get(), kSignalTag);
}

Status Keeper::start_supervisor() {
  RH_ASSIGN(SocketPair pair, create_seqpacket_pair());
  RH_TRY(set_nonblocking(pair.ours.get()));
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) return system_error("clone3 supervisor");
  if (pid == 0) program_.exec(pair.theirs.get(), arguments_);
  supervisor_.pid = static_cast<pid_t>(pid);
  supervisor_.pidfd.reset(pidfd);
  socket_ = std::move(pair.ours);
  restart_at_ = {};
  fetched_ = false;
  unanswered_pings_ = 0;
  if (program_.on_trial()) adoption_deadline_ = clock_.now() + seconds(proto::kAdoptionSeconds);
  RH_TRY(watch(socket_.get(), kSocketTag));
  return watch(pidfd, kSupervisorTag);
}

void Keeper::on_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo == SIGHUP) return pass_reload();
  const Instant now = clock_.now();
  // Asked twice, or nobody is there to do it in order.
  if (stage_ == Stage::kStopping || !supervised()) return begin_stopping(now);
  send(proto::Shutdown{});
  begin_stopping(now + kStopDeadline);
}

void Keeper::pass_reload() {
  // A supervisor that is just being started reads the file anyway.
  if (stage_ == Stage::kServing && supervised()) send(proto::Reload{});
}

void Keeper::begin_stopping(Instant deadline) {
  stage_ = Stage::kStopping;
  stop_deadline_ = deadline;
  adoption_deadline_.reset();
  manager_.tell_stopping();
}

// --- deaths ---------------------------------------------------------------------------------------------

void Keeper::on_child_exit(std::uint64_t child) {
  const auto found = children_.find(child);
  if (found == children_.end() || found->second.exited) return;
  Process& process = found->second;
  siginfo_t info{};
  const int result = ::waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, WEXITED | WNOHANG | __WALL);
  if (result == 0 && info.si_pid == 0) return;  // not yet
  const bool reaped = result == 0;
  unwatch(process.pidfd.get());
  process.exited = proto::ChildExited{child, reaped ? info.si_code : CLD_KILLED, reaped ? info.si_status : SIGKILL};
  // One that has not fetched yet will be told then; when nobody will ever ask, it is forgotten.
  if (fetched_ && supervised()) send(*process.exited);
  if (stage_ == Stage::kStopping || stage_ == Stage::kStarting) {
    if (!supervised()) children_.erase(found);
  }
}

void Keeper::on_supervisor_exit() {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(supervisor_.pidfd.get()), &info, WEXITED | WNOHANG) != 0) return;
  if (info.si_pid == 0) return;
  // What it said last is of use to the next one.
  while (receive_one()) {
  }
  supervisor_ = Process{};
  socket_.reset();
  outbox_.clear();
  on_death(info.si_code, info.si_status);
}

void Keeper::on_death(int code, int status) {
  const Instant now = clock_.now();
  const bool in_order = code == CLD_EXITED && status <= 1;
  if (stage_ == Stage::kStopping || (stage_ == Stage::kStarting && in_order)) {
    exit_status_ = in_order ? status : 1;
    begin_stopping(now);
    std::erase_if(children_, [](const auto& entry) { return entry.second.exited.has_value(); });
    return kill_children();
  }
  if (stage_ == Stage::kReplaced) {
    restart_at_ = now;
    if (!adoption_deadline_) return;  // the former one, on our order: its place is taken by the candidate
    if (now >= *adoption_deadline_) return fall_back(proto::UpgradeOutcome::kTooLate, 0);
    return fall_back(proto::UpgradeOutcome::kEnded, code == CLD_EXITED ? status : -status);
  }
  log_error("supervisor died", {{"code", code}, {"status", status}});
  quick_deaths_ = now < healthy_at_ || stage_ != Stage::kServing ? std::min(quick_deaths_ + 1, kMaxQuickDeaths) : 0;
  restart_at_ = now + milliseconds(quick_deaths_ == 0 ? 0 : 50 << quick_deaths_);
  if (stage_ == Stage::kStarting) return start_from_nothing();
  if (stage_ == Stage::kTakingOver && ++failed_adoptions_ >= kMaxFailedAdoptions) {
    log_error("no supervisor could take over; everything starts from nothing");
    return start_from_nothing();
  }
  stage_ = Stage::kTakingOver;
}

void Keeper::start_from_nothing() {
  stage_ = Stage::kStarting;
  failed_adoptions_ = 0;
  std::erase_if(children_, [](const auto& entry) { return entry.second.exited.has_value(); });
  kept_.clear();
  kill_children();
}

// The candidate did not take over: the former program, whose place it had, is started again.
void Keeper::fall_back(proto::UpgradeOutcome outcome, std::int32_t argument) {
  log_error("the new supervisor did not take over; the former one is started again",
            {{"outcome", static_cast<int>(outcome)}, {"argument", argument}});
  program_.drop_candidate();
  adoption_deadline_.reset();
  outcome_ = proto::Upgraded{outcome, argument};
  stage_ = Stage::kTakingOver;
}

void Keeper::kill_children() {
  for (const auto& [child, process] : children_) {
    if (!process.exited) signal_process(process.pidfd, SIGKILL);
  }
}

// Children whose Child message never came because the supervisor died first.
void Keeper::reap_strangers() {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 || info.si_pid == 0) return;
    const auto known = std::find_if(children_.begin(), children_.end(), [&](const auto& entry) {
      return !entry.second.exited && entry.second.pid == info.si_pid;
    });
    if (known != children_.end() || info.si_pid == supervisor_.pid) return;  // its pidfd event is on its way
    // Its Child message may be on its way too.
    if (supervised() && receive_one()) continue;
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG | __WALL);
  }
}

// --- sending, time --------------------------------------------------------------------------------------

void Keeper::flush() {
  if (outbox_.empty()) return;
  while (!outbox_.empty()) {
    const Outgoing& next = outbox_.front();
    const std::span<const int> descriptors(&next.descriptor, next.descriptor < 0 ? 0 : 1);
    const Status sent = send_message(socket_.get(), next.bytes, descriptors);
    if (!sent.ok() && sent.error().code == ErrorCode::kWouldBlock) break;
    outbox_.pop_front();  // one that has gone gets nothing
  }
  epoll_event event{};
  event.events = outbox_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT;
  event.data.u64 = kSocketTag;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_.get(), &event);
}

int Keeper::wait_ms() const {
  if (stage_ == Stage::kStopping || restart_at_ != Instant{}) return 20;
  const Duration wait = manager_.time_to_alive(clock_.now(), kPingPeriod);
  return static_cast<int>(std::chrono::ceil<milliseconds>(wait).count());
}

void Keeper::watch_supervisor(Instant now) {
  if (!supervised() || stage_ == Stage::kStopping) return;
  if (adoption_deadline_ && now >= *adoption_deadline_) {
    signal_process(supervisor_.pidfd, SIGKILL);
    return;
  }
  if (now < ping_at_) return;
  ping_at_ = now + kPingPeriod;
  if (unanswered_pings_++ < kMaxUnansweredPings) return send(proto::Ping{});
  log_error("the supervisor does not answer");
  signal_process(supervisor_.pidfd, SIGKILL);
}

void Keeper::on_time() {
  reap_strangers();
  const Instant now = clock_.now();
  manager_.tell_alive(now);
  watch_supervisor(now);
  flush();
  if (stage_ == Stage::kStopping && now >= stop_deadline_) {
    if (supervised()) signal_process(supervisor_.pidfd, SIGKILL);
    kill_children();
    finished_ = !supervised() && children_.empty();
    return;
  }
  if (restart_at_ == Instant{} || now < restart_at_ || supervised()) return;
  if (stage_ == Stage::kStarting && !children_.empty()) return;
  if (const Status started = start_supervisor(); !started.ok()) {
    log_error("cannot restart the supervisor", {{"reason", started.error()}});
    restart_at_ = now + seconds(1);
  }
}

}  // namespace rowhouse::supervisor
