// The launcher as the supervisor uses it: raw clones, also while another thread of the process lives.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "base/message_socket.h"
#include "supervisor/launcher.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

constexpr uid_t kUid = 61003;
constexpr int kPatienceMs = 20'000;

// A thread that lives as long as the object.
class OtherThread {
 public:
  OtherThread() : thread_([this] { wait(); }) {}
  ~OtherThread() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    told_.notify_all();
    thread_.join();
  }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    told_.wait(lock, [this] { return over_; });
  }
  std::mutex mutex_;
  std::condition_variable told_;
  bool over_ = false;
  std::thread thread_;
};

// Launches /bin/sh with `script` as kUid and waits for its end; false when it does not come.
bool launch_and_wait(const char* script) {
  const SocketPair keeper = create_seqpacket_pair().value();
  const SocketPair control = create_seqpacket_pair().value();
  const UniqueFd program(::open("/bin/sh", O_RDONLY | O_CLOEXEC));
  KeeperLink link(keeper.ours.get());
  Launcher launcher(link);
  LaunchOrder order;
  order.program = program.get();
  order.arguments = {"sh", "-c", script};
  order.user = {kUid, kUid};
  order.control = control.theirs.get();
  const auto process = launcher.launch(order);
  if (!process.ok()) return false;
  pollfd ended{process.value().pidfd.get(), POLLIN, 0};
  const bool came = ::poll(&ended, 1, kPatienceMs) == 1;
  if (!came) signal_process(process.value().pidfd, SIGKILL);
  return came;
}

// Children are cloned with CLONE_PARENT: a process between plays the supervisor, and this one reaps as the
// keeper does. The exit statuses of both, or -1 for one that was killed.
struct Statuses {
  int supervisor = -1, child = -1;
};
Statuses play(const char* script) {
  const pid_t supervisor = ::fork();
  REQUIRE(supervisor >= 0);
  if (supervisor == 0) {
    const OtherThread other;
    ::_exit(launch_and_wait(script) ? 0 : 1);
  }
  Statuses statuses;
  for (int i = 0; i < 2; ++i) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, __WALL);
    if (pid < 0) break;
    (pid == supervisor ? statuses.supervisor : statuses.child) = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  return statuses;
}

}  // namespace

TEST_CASE("a program is launched as its user while another thread lives") {
  // The C library's setresuid would wait in the child for that thread, which the child does not have.
  const Statuses statuses = play("test \"$(id -u) $(id -g) $(id -G)\" = '61003 61003 61003' && exit 7");
  CHECK(statuses.supervisor == 0);
  CHECK(statuses.child == 7);
}

TEST_CASE("a program that is launched finds the control socket on its descriptor and nothing to read on 0") {
  const Statuses statuses = play("test -S /proc/self/fd/3 && test -z \"$(cat)\" && exit 7");
  CHECK(statuses.supervisor == 0);
  CHECK(statuses.child == 7);
}
