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
#include "proto/keeper_messages.h"
#include "proto/lifeline.h"

namespace rowhouse::supervisor {
namespace {

using std::chrono::seconds;

// Tags in epoll's data; children are numbered from kFirstChild by the supervisor.
constexpr std::uint64_t kSignalTag = 1;
constexpr std::uint64_t kSocketTag = 2;
constexpr std::uint64_t kSupervisorTag = 3;

// After this the keeper ends everything by itself.
constexpr seconds kStopDeadline{90};
constexpr int kMaxQuickDeaths = 6;

int pidfd_kill(int pidfd) {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0));
}

Status watch(int epoll, int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return system_error("epoll_ctl");
  return {};
}

// In the new process: our own program again, as the supervisor, with the socket at its place.
[[noreturn]] void become_supervisor(int socket, const std::vector<std::string>& arguments) {
  ::setsid();  // a terminal's Ctrl-C is for the keeper alone
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> argv = {const_cast<char*>("rowhoused"), const_cast<char*>("--supervisor")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const bool placed = socket == proto::kControlFd ? ::fcntl(socket, F_SETFD, 0) == 0
                                                  : ::dup2(socket, proto::kControlFd) == proto::kControlFd;
  if (placed) ::execv("/proc/self/exe", argv.data());
  ::_exit(127);
}

}  // namespace

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
        case kSocketTag: on_supervisor_message(); break;
        case kSupervisorTag: on_supervisor_exit(); break;
        default: on_child_exit(events[static_cast<std::size_t>(i)].data.u64);
      }
    }
    flush_reports();
    on_time();
  }
  return exit_status_;
}

Status Keeper::open() {
  RH_TRY(manager_.open());
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
  return watch(epoll_.get(), signals_.get(), kSignalTag);
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
  if (pid == 0) become_supervisor(pair.theirs.get(), arguments_);
  supervisor_.pid = static_cast<pid_t>(pid);
  supervisor_.pidfd.reset(pidfd);
  socket_ = std::move(pair.ours);
  restart_at_ = {};
  RH_TRY(watch(epoll_.get(), socket_.get(), kSocketTag));
  return watch(epoll_.get(), pidfd, kSupervisorTag);
}

void Keeper::on_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return;
  if (info.ssi_signo == SIGHUP) return pass_reload();
  const Instant now = clock_.now();
  // Asked twice, or nobody is there to do it in order.
  if (stopping_ || !supervisor_.pidfd.valid()) return begin_stopping(now);
  const Status sent = proto::send_control(socket_.get(), proto::Shutdown{});
  begin_stopping(sent.ok() ? now + kStopDeadline : now);
}

void Keeper::pass_reload() {
  // A supervisor that is just being started reads the file anyway.
  if (stopping_ || !supervisor_.pidfd.valid()) return;
  const Status sent = proto::send_control(socket_.get(), proto::Reload{});
  if (!sent.ok()) log_warning("reload not passed on", {{"reason", sent.error()}});
}

void Keeper::begin_stopping(Instant deadline) {
  stopping_ = true;
  stop_deadline_ = deadline;
  manager_.tell_stopping();
}

void Keeper::on_supervisor_message() {
  auto received = proto::receive_control(socket_.get());
  if (!received.ok()) {
    // At end of file the pidfd tells the rest; stop looking at a socket that stays readable.
    if (received.error().code != ErrorCode::kWouldBlock) {
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket_.get(), nullptr);
    }
    return;
  }
  proto::IncomingMessage& message = received.value();
  if (message.type == proto::MessageType::kSupervisorReady) {
    quick_deaths_ = 0;
    manager_.tell_ready();
    return;
  }
  const auto child = proto::decode_message<proto::Child>(message);
  if (!child.ok() || children_.contains(child.value().child) || child.value().child <= kSupervisorTag) return;
  Process process{child.value().child, static_cast<pid_t>(child.value().pid),
                  std::move(message.descriptors.front())};
  if (watch(epoll_.get(), process.pidfd.get(), process.child).ok()) {
    children_.emplace(process.child, std::move(process));
  }
}

void Keeper::on_child_exit(std::uint64_t child) {
  const auto found = children_.find(child);
  if (found == children_.end()) return;
  siginfo_t info{};
  const int result =
      ::waitid(P_PIDFD, static_cast<id_t>(found->second.pidfd.get()), &info, WEXITED | WNOHANG | __WALL);
  if (result == 0 && info.si_pid == 0) return;  // not yet
  const bool reaped = result == 0;
  children_.erase(found);
  report_exit(child, reaped ? info.si_code : CLD_KILLED, reaped ? info.si_status : SIGKILL);
}

void Keeper::report_exit(std::uint64_t child, int code, int status) {
  if (supervisor_.pidfd.valid()) unsent_.push_back({child, code, status});
}

void Keeper::flush_reports() {
  std::size_t sent = 0;
  for (const Report& report : unsent_) {
    if (!proto::send_control(socket_.get(), proto::ChildExited{report.child, report.code, report.status})
             .ok()) {
      break;
    }
    ++sent;
  }
  unsent_.erase(unsent_.begin(), unsent_.begin() + static_cast<std::ptrdiff_t>(sent));
}

void Keeper::on_supervisor_exit() {
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(supervisor_.pidfd.get()), &info, WEXITED | WNOHANG) != 0) return;
  if (info.si_pid == 0) return;
  supervisor_ = Process{};
  socket_.reset();
  unsent_.clear();
  const bool in_order = info.si_code == CLD_EXITED && info.si_status <= 1;
  if (in_order || stopping_) {
    exit_status_ = in_order ? info.si_status : 1;
    begin_stopping(clock_.now());
  } else {
    log_error("supervisor died", {{"code", info.si_code}, {"status", info.si_status}});
    quick_deaths_ = std::min(quick_deaths_ + 1, kMaxQuickDeaths);
    restart_at_ = clock_.now() + std::chrono::milliseconds(50 << quick_deaths_);
  }
  kill_children();
}

void Keeper::kill_children() {
  for (const auto& [child, process] : children_) pidfd_kill(process.pidfd.get());
}

// Children whose Child message never came because the supervisor died first.
void Keeper::reap_strangers() {
  while (true) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 || info.si_pid == 0) return;
    const auto known = std::find_if(children_.begin(), children_.end(),
                                    [&](const auto& entry) { return entry.second.pid == info.si_pid; });
    if (known != children_.end() || info.si_pid == supervisor_.pid) return;  // its pidfd event is on its way
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG | __WALL);
  }
}

int Keeper::wait_ms() const {
  if (stopping_ || restart_at_ != Instant{} || !unsent_.empty()) return 20;
  const Duration wait = manager_.time_to_alive(clock_.now(), seconds(10));
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
}

void Keeper::on_time() {
  reap_strangers();
  const Instant now = clock_.now();
  manager_.tell_alive(now);
  if (stopping_ && now >= stop_deadline_) {
    if (supervisor_.pidfd.valid()) pidfd_kill(supervisor_.pidfd.get());
    kill_children();
    finished_ = !supervisor_.pidfd.valid() && children_.empty();
    return;
  }
  if (restart_at_ == Instant{} || now < restart_at_ || !children_.empty()) return;
  if (const Status started = start_supervisor(); !started.ok()) {
    log_error("cannot restart the supervisor", {{"reason", started.error()}});
    restart_at_ = now + seconds(1);
  }
}

}  // namespace rowhouse::supervisor
