#include "supervisor/launcher.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "proto/jail_messages.h"
#include "proto/lifeline.h"

namespace rowhouse::supervisor {
namespace {

using proto::JailStep;

constexpr std::uint64_t kSandboxNamespaces =
    CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
// Descriptors are first moved above this, so that placing one never overwrites another.
constexpr int kParkedDescriptors = 64;
constexpr int kNotStarted = 127;

struct Gate {
  UniqueFd read_end, write_end;
};

Result<Gate> create_gate() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe2");
  return Gate{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

[[noreturn]] void fail(JailStep step) {
  ::_exit(proto::kJailExitBase + static_cast<int>(step));
}

// On cgroup v1 the child joins by itself, before anything can fork: attaching it from outside loses that
// race.
void join_cgroups(const LaunchOrder& order) {
  for (const int procs : order.cgroup_v1_procs) {
    if (::write(procs, "0", 1) != 1) fail(JailStep::kJoinCgroups);
  }
}

void place(int from, int to) {
  if (from < 0 || ::dup2(from, to) != to) fail(JailStep::kDescriptors);
}

void place_descriptors(const LaunchOrder& order) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int parked_control = ::fcntl(order.control, F_DUPFD_CLOEXEC, kParkedDescriptors);
  const int parked_output =
      ::fcntl(order.output >= 0 ? order.output : STDERR_FILENO, F_DUPFD_CLOEXEC, kParkedDescriptors);
  const int parked_root =
      order.empty_root >= 0 ? ::fcntl(order.empty_root, F_DUPFD_CLOEXEC, kParkedDescriptors) : -1;
  place(null, STDIN_FILENO);
  place(parked_output, STDOUT_FILENO);
  place(parked_output, STDERR_FILENO);
  place(parked_control, proto::kControlFd);
  if (order.empty_root >= 0) place(parked_root, proto::kGatewayRootFd);
}

// Raw system calls: those of the C library tell every thread that it remembers, and of the threads of the
// supervisor this child of a raw clone has the memory only; it would wait for them for ever.
void become(const LaunchUser& user) {
  if (user.uid == 0 || user.gid == 0) fail(JailStep::kIdentity);
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) fail(JailStep::kIdentity);
  if (::syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0) fail(JailStep::kIdentity);
  if (::syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0) fail(JailStep::kIdentity);
  if (::syscall(SYS_setuid, 0) == 0 || ::syscall(SYS_setgid, 0) == 0 || ::getuid() != user.uid) {
    fail(JailStep::kProof);
  }
}

// Of root's capabilities this one survives the change of the user and the exec; the program gives it up when it has
// used it (gateway/walls.cc).
void keep_right_to_chroot() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct rights[2] = {};
  rights[0].effective = rights[0].permitted = rights[0].inheritable = 1u << CAP_SYS_CHROOT;
  if (::syscall(SYS_capset, &header, rights) != 0) fail(JailStep::kIdentity);
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_CHROOT, 0, 0) != 0) fail(JailStep::kIdentity);
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Goes on when the supervisor has told the keeper of this process.  A supervisor that dies before leaves nobody
// who knows it, so it ends.
void wait_for_word(const Gate& gate) {
  ::close(gate.write_end.get());
  char word = 0;
  if (::read(gate.read_end.get(), &word, 1) != 1) ::_exit(kNotStarted);
}

[[noreturn]] void run_child(const LaunchOrder& order, const Gate& gate, int program, char** argv, char** envp) {
  join_cgroups(order);
  wait_for_word(gate);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  place_descriptors(order);
  if (order.kind == LaunchKind::kProgram) {
    ::setsid();
    if (order.empty_root >= 0 && ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) fail(JailStep::kIdentity);
    become(order.user);
    if (order.empty_root >= 0) keep_right_to_chroot();
  }
  ::syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
  ::_exit(kNotStarted);
}

}  // namespace

Result<LaunchedProcess> Launcher::launch(const LaunchOrder& order) {
  std::vector<char*> argv = pointers_to(order.arguments);
  std::vector<char*> envp = pointers_to(order.environment);
  const UniqueFd program(::fcntl(order.program, F_DUPFD_CLOEXEC, kParkedDescriptors));
  if (!program.valid()) return system_error("fcntl program");
  RH_ASSIGN(const Gate gate, create_gate());
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PARENT | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  if (order.kind == LaunchKind::kSandbox) arguments.flags |= kSandboxNamespaces;
  if (order.network == proto::NetworkMode::kPrivate) arguments.flags |= CLONE_NEWNET;
  if (order.cgroup_v2 >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(order.cgroup_v2);
  }
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid < 0) return system_error("clone3");
  if (pid == 0) run_child(order, gate, program.get(), argv.data(), envp.data());

  LaunchedProcess process{keeper_.next_child(), static_cast<pid_t>(pid), UniqueFd(pidfd)};
  const Status told = keeper_.announce(process.child, process.pid, order.record, pidfd);
  // Untold it ends by itself, with the gate.
  if (!told.ok()) return told.error();
  if (::write(gate.write_end.get(), "g", 1) != 1) return system_error("write gate");
  return process;
}

void signal_process(const UniqueFd& pidfd, int signal) {
  if (pidfd.valid()) ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0);
}

bool has_ended(const UniqueFd& pidfd) {
  pollfd state{pidfd.get(), POLLIN, 0};
  return ::poll(&state, 1, 0) == 1;
}

}  // namespace rowhouse::supervisor
