// How a jail refuses: every failing start names its step.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "test_sandbox.h"

namespace rowhouse::jail {

using proto::JailStep;

TEST_CASE("a good request makes a steward with every wall that this kernel has") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.start();
  std::uint32_t missing = 0;
  if (kernel_landlock_abi() == 0) missing |= static_cast<std::uint32_t>(proto::Wall::kLandlock);
  if (kernel_landlock_abi() < kAbiWithScopes)
    missing |= static_cast<std::uint32_t>(proto::Wall::kLandlockScopes);
  CHECK(sandbox.wait_until_ready() == missing);
  // A machine that is known to have Landlock must not lose it silently.  Scopes came later (ABI 6): a kernel that
  // is known to have Landlock may still lack them.
  const char* expected = std::getenv("ROWHOUSE_EXPECT");
  if (expected != nullptr && std::string_view(expected).find("landlock") != std::string_view::npos)
    CHECK((missing & static_cast<std::uint32_t>(proto::Wall::kLandlock)) == 0);
}

TEST_CASE("outside a pid namespace the jail refuses to start") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    ::execl(jail_under_test(), "rowhouse-jail", nullptr);
    ::_exit(126);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == proto::kJailExitBase + static_cast<int>(JailStep::kSession));
}

TEST_CASE("the end of the supervisor before the request ends the jail") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.launch();
  sandbox.close_control();
  const int status = sandbox.wait_for_end();
  CHECK(WEXITSTATUS(status) == proto::kJailExitBase + static_cast<int>(JailStep::kReceiveSetup));
}

TEST_CASE("the uid of root is refused by the jail itself") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.setup.uid = 0;
  sandbox.start();
  CHECK(sandbox.wait_until_failed().step == JailStep::kReceiveSetup);
  CHECK(sandbox.read_log().find("JailSetup uid or gid") != std::string::npos);
}

TEST_CASE("a home of another owner is refused") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.setup.home = proto::Path::cut(homes.neighbour());
  sandbox.start();
  const auto failed = sandbox.wait_until_failed();
  CHECK(failed.step == JailStep::kHome);
  CHECK(failed.system_errno == EPERM);
}

TEST_CASE("a home behind a symbolic link is refused, also when it leads to the own home") {
  const TestHomes homes;
  REQUIRE(::symlink(homes.home().c_str(), (homes.base() + "/link").c_str()) == 0);
  TestSandbox sandbox(homes);
  sandbox.setup.home = proto::Path::cut(homes.base() + "/link");
  sandbox.start();
  const auto failed = sandbox.wait_until_failed();
  CHECK(failed.step == JailStep::kHome);
  CHECK(failed.system_errno == ELOOP);
}

TEST_CASE("a home that the tenant itself cannot reach is refused, although root could") {
  const TestHomes homes;
  REQUIRE(::chmod(homes.base().c_str(), 0700) == 0);
  TestSandbox sandbox(homes);
  sandbox.start();
  const auto failed = sandbox.wait_until_failed();
  CHECK(failed.step == JailStep::kHome);
  CHECK(failed.system_errno == EACCES);
}

TEST_CASE("a home that does not exist is refused") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.setup.home = proto::Path::cut(homes.base() + "/nobody");
  sandbox.start();
  const auto failed = sandbox.wait_until_failed();
  CHECK(failed.step == JailStep::kHome);
  CHECK(failed.system_errno == ENOENT);
}

TEST_CASE("a private network that is the host's is refused") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.setup.network = proto::NetworkMode::kPrivate;
  sandbox.start();
  CHECK(sandbox.wait_until_failed().step == JailStep::kNetwork);
}

TEST_CASE("a failed start leaves nothing mounted on the host") {
  const auto mounts = [] {
    return read_to_end(UniqueFd(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC)).get());
  };
  const TestHomes homes;
  const std::string before = mounts();
  TestSandbox sandbox(homes);
  sandbox.setup.home = proto::Path::cut(homes.neighbour());
  sandbox.start();
  sandbox.wait_until_failed();
  CHECK(mounts() == before);
}

}  // namespace rowhouse::jail
