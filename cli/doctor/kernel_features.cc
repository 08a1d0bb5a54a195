#include "cli/doctor/kernel_features.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "base/unique_fd.h"

namespace rowhouse::cli {
namespace {

constexpr int kScopesAbi = 6;
constexpr int kNoSuchDescriptor = 1 << 20;
constexpr unsigned kLandlockVersionFlag = 1;

// A call whose arguments are wrong: any answer but ENOSYS (or, to root, EPERM from a filter around us) means
// that it exists.
Answer exists(long result) {
  if (result >= 0) return Answer::kPresent;
  if (errno == ENOSYS) return Answer::kMissing;
  return errno == EPERM && ::geteuid() == 0 ? Answer::kUnknown : Answer::kPresent;
}

// A child that ends at once, with a descriptor for it.
Answer try_clone3() {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) ::_exit(0);
  if (pid < 0) return exists(pid);
  const UniqueFd owner(pidfd);
  while (::waitpid(static_cast<pid_t>(pid), nullptr, 0) < 0 && errno == EINTR) {
  }
  return owner.valid() ? Answer::kPresent : Answer::kMissing;
}

// A kernel that knows the flag looks at the descriptor, which does not exist: EBADF.  No child is made.
Answer try_clone_into_cgroup() {
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = kNoSuchDescriptor;
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) ::_exit(0);
  if (errno == EBADF) return Answer::kPresent;
  return errno == EPERM ? Answer::kUnknown : Answer::kMissing;
}

Answer try_openat2() {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const UniqueFd root(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how)));
  return exists(root.get());
}

Answer try_close_range() {
  return exists(::syscall(SYS_close_range, UINT_MAX, UINT_MAX, 0));
}

Answer try_mount_calls() {
  for (const long number : {SYS_open_tree, SYS_move_mount, SYS_fsopen}) {
    const Answer answer = exists(::syscall(number, -1, nullptr, 0, 0, 0));
    if (answer != Answer::kPresent) return answer;
  }
  return Answer::kPresent;
}

Answer try_mount_setattr() {
  return exists(::syscall(SYS_mount_setattr, -1, nullptr, 0, nullptr, 0));
}

Answer try_pidfd() {
  const UniqueFd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self.valid()) return exists(-1);
  return exists(::syscall(SYS_pidfd_send_signal, self.get(), 0, nullptr, 0));
}

Answer try_seccomp() {
  for (const std::uint32_t action : {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO}) {
    if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) return Answer::kMissing;
  }
  return Answer::kPresent;
}

// Namespaces that a kernel can be built without.
Answer try_namespaces() {
  for (const char* name : {"pid", "mnt", "ipc", "uts", "cgroup", "net"}) {
    if (::access(("/proc/self/ns/" + std::string(name)).c_str(), F_OK) != 0) return Answer::kMissing;
  }
  return Answer::kPresent;
}

Findings judge_landlock(int abi, Level if_missing) {
  const std::string advice =
      "boot a kernel of 6.12 or newer with landlock among lsm=; the mounts still hold the file rules";
  if (abi == 0)
    return {{"landlock", if_missing, "no Landlock: a second wall around files is missing", advice}};
  const std::string found = "Landlock ABI " + std::to_string(abi);
  if (abi >= kScopesAbi) return {ok("landlock", found)};
  return {{"landlock", if_missing, found + ": abstract UNIX sockets and signals are not held", advice}};
}

}  // namespace

KernelFeatures look_at_kernel_features() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kLandlockVersionFlag);
  return {
      {{"clone3 with pidfd", "5.5", try_clone3(), Level::kFailure, "every start needs it"},
       {"CLONE_INTO_CGROUP", "5.7", try_clone_into_cgroup(), Level::kWarning,
        "needed where cgroup v2 holds the limits"},
       {"openat2", "5.6", try_openat2(), Level::kFailure, "homes and manifests are opened with it"},
       {"close_range", "5.9", try_close_range(), Level::kFailure,
        "the sandbox closes foreign descriptors with it"},
       {"open_tree, move_mount, fsopen", "5.2", try_mount_calls(), Level::kFailure,
        "the sandbox is mounted with them"},
       {"mount_setattr", "5.12", try_mount_setattr(), Level::kOk,
        "mounts are made read-only one by one instead"},
       {"pidfd_open, pidfd_send_signal", "5.3", try_pidfd(), Level::kFailure,
        "processes are watched and ended with them"},
       {"seccomp filters", "4.14", try_seccomp(), Level::kFailure, "the sandbox ends its build without them"},
       {"namespaces", "4.6", try_namespaces(), Level::kFailure,
        "pid, mnt, ipc, uts, cgroup and net are needed"}},
      abi > 0 ? static_cast<int>(abi) : 0};
}

Findings judge_kernel_features(const KernelFeatures& features, Strictness strictness) {
  const Level missing_wall = strictness == Strictness::kStrict ? Level::kFailure : Level::kWarning;
  Findings findings;
  for (const FeatureFact& fact : features.features) {
    const std::string name = fact.name + " (" + fact.since + ")";
    if (fact.answer == Answer::kPresent) {
      findings.push_back(ok("kernel", name + ": present"));
    } else if (fact.answer == Answer::kUnknown) {
      findings.push_back(warning("kernel", name + ": refused here, so not known",
                                 "run rowhouse doctor as root, outside containers"));
    } else if (fact.if_missing == Level::kOk) {
      findings.push_back(ok("kernel", name + ": missing; " + fact.meaning));
    } else {
      findings.push_back(
          {"kernel", fact.if_missing, name + ": missing; " + fact.meaning,
           "boot a kernel of 5.10 or newer, and no container runtime that filters system calls"});
    }
  }
  for (Finding& finding : judge_landlock(features.landlock_abi, missing_wall))
    findings.push_back(std::move(finding));
  return findings;
}

}  // namespace rowhouse::cli
