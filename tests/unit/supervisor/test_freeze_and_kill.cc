// The fallback of cgroup.kill on a real group: v1 freezer where the host has one, cgroup.freeze where it has
// cgroup2.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>

#include "base/cgroup_mounts.h"
#include "base/files.h"
#include "supervisor/cgroup_files.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

constexpr uid_t kBomber = 61050;  // of nobody else: RLIMIT_NPROC counts by uid
constexpr rlim_t kMostProcesses = 100;
constexpr std::chrono::seconds kDeadline{20};

// A group of its own in every hierarchy that can freeze.
struct Group {
  explicit Group(const CgroupMount& mount)
      : path(mount.path + "/rowhouse-unit-" + std::to_string(::getpid())) {
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    directory.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~Group() {
    kill_until_gone();
    ::rmdir(path.c_str());
  }
  // The number of passes; 0 when the deadline was over.
  int kill_until_gone() {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    for (int passes = 1; std::chrono::steady_clock::now() < end; ++passes) {
      const Status killed = freeze_and_kill(directory.get());
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if (killed.ok() && read_pids(directory.get()).empty()) return passes;
      ::sched_yield();
    }
    return 0;
  }
  std::string path;
  UniqueFd directory;
};

[[noreturn]] void become_bomb(const Group& group) {
  const Status joined = write_kernel_file(group.directory.get(), "cgroup.procs", "0");
  const rlimit most{kMostProcesses, kMostProcesses};
  if (!joined.ok() || ::setrlimit(RLIMIT_NPROC, &most) != 0 || ::setuid(kBomber) != 0) ::_exit(1);
  ::signal(SIGTERM, SIG_IGN);
  while (true) ::fork();
}

template <typename Visit>
void for_each_freezer(Visit visit) {
  const auto mounts = read_cgroup_mounts();
  REQUIRE(mounts.ok());
  int visited = 0;
  for (const CgroupMount& mount : mounts.value()) {
    if (!mount.unified && !mount.has("freezer")) continue;
    Group group(mount);
    CAPTURE(group.path);
    visit(group);
    ++visited;
  }
  CHECK(visited > 0);
}

void wait_for_members(const Group& group, std::size_t count) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (read_pids(group.directory.get()).size() < count && std::chrono::steady_clock::now() < end)
    ::sched_yield();
  REQUIRE(read_pids(group.directory.get()).size() >= count);
}

}  // namespace

TEST_CASE("a fork bomb is frozen, killed and gone") {
  for_each_freezer([](Group& group) {
    if (::fork() == 0) become_bomb(group);
    wait_for_members(group, 20);
    CHECK(group.kill_until_gone() > 0);
    CHECK(read_pids(group.directory.get()).empty());
  });
}

TEST_CASE("stopped and frozen processes are killed as well, also in a group below") {
  for_each_freezer([](Group& group) {
    const std::string below = group.path + "/below";
    REQUIRE(::mkdir(below.c_str(), 0755) == 0);
    const UniqueFd inner(::open(below.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (::fork() == 0) {
      [[maybe_unused]] const Status joined = write_kernel_file(inner.get(), "cgroup.procs", "0");
      ::raise(SIGSTOP);
      ::_exit(0);
    }
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (read_pids(inner.get()).empty() && std::chrono::steady_clock::now() < end) ::sched_yield();
    const bool v2 = ::faccessat(inner.get(), "cgroup.freeze", F_OK, 0) == 0;
    REQUIRE((v2 ? write_kernel_file(inner.get(), "cgroup.freeze", "1")
                : write_kernel_file(inner.get(), "freezer.state", "FROZEN"))
                .ok());
    while (!read_pids(inner.get()).empty() && std::chrono::steady_clock::now() < end) {
      [[maybe_unused]] const Status killed = freeze_and_kill(group.directory.get());
      ::waitpid(-1, nullptr, WNOHANG);
    }
    CHECK(read_pids(inner.get()).empty());
    CHECK(::rmdir(below.c_str()) == 0);
  });
}

TEST_CASE("an empty group has nobody to kill") {
  for_each_freezer([](Group& group) { CHECK(group.kill_until_gone() == 1); });
}
