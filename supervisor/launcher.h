// Starts programs.  Every child is cloned with CLONE_PARENT, so the keeper is its parent from birth and its
// exit status survives us; it is known by its pidfd.  Between clone and exec the child only joins its
// cgroups, waits until the keeper has been told of it, places its descriptors and, where it is no jail,
// becomes its user; nothing of root's memory passes the exec.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/loader_messages.h"
#include "supervisor/keeper_link.h"

namespace rowhouse::supervisor {

struct LaunchUser {
  uid_t uid = 0;
  gid_t gid = 0;
};

enum class LaunchKind : std::uint8_t {
  kProgram,  // becomes its user before exec
  kSandbox,  // new pid, mount, ipc, uts, cgroup and, where private, network namespaces; stays root:
             // rowhouse-jail drops it
};

struct LaunchOrder {
  LaunchKind kind = LaunchKind::kProgram;
  proto::KeptRecord record;  // what it is for the keeper
  int program = -1;  // opened for reading; exec-ed by descriptor
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  LaunchUser user;                                         // kProgram only; never 0
  proto::NetworkMode network = proto::NetworkMode::kHost;  // kSandbox only
  int control = -1;                                        // becomes proto::kControlFd
  int output = -1;                                         // becomes 1 and 2; -1: ours
  int empty_root = -1;                                     // kProgram only: becomes proto::kGatewayRootFd, and the
                                                           // program keeps the right to chroot(2); -1: neither
  int cgroup_v2 = -1;                                      // directory for CLONE_INTO_CGROUP; -1: none
  std::vector<int> cgroup_v1_procs;  // cgroup.procs files that the child writes itself into
};

struct LaunchedProcess {
  std::uint64_t child = 0;  // the number that the keeper reports
  pid_t pid = 0;
  UniqueFd pidfd;
};

class Launcher {
 public:
  // Every child is announced on `keeper`, which outlives this object.
  explicit Launcher(KeeperLink& keeper) : keeper_(keeper) {}
  [[nodiscard]] KeeperLink& keeper() { return keeper_; }

  Result<LaunchedProcess> launch(const LaunchOrder& order);

 private:
  KeeperLink& keeper_;
};

// kill(2) by pidfd; a process that has already ended is not an error.
void signal_process(const UniqueFd& pidfd, int signal);
// True once the process has ended (also as a zombie).
[[nodiscard]] bool has_ended(const UniqueFd& pidfd);

}  // namespace rowhouse::supervisor
