#include <doctest/doctest.h>

#include <csignal>

#include "supervisor/ending.h"

using namespace rowhouse::supervisor;
using rowhouse::proto::Cause;
using rowhouse::proto::StartStep;

namespace {
int exited(int status) { return status << 8; }
int killed(int signal) { return signal; }
}  // namespace

TEST_CASE("an exit status is RH-EXIT with the status") {
  const auto ending = classify_ending({.wait_status = exited(3)});
  CHECK(ending.cause == Cause::kExit);
  CHECK(ending.argument == 3);
}

TEST_CASE("a signal is RH-SIGNAL with its number") {
  const auto ending = classify_ending({.wait_status = killed(SIGSEGV)});
  CHECK(ending.cause == Cause::kSignal);
  CHECK(ending.argument == SIGSEGV);
}

TEST_CASE("SIGKILL with a grown OOM counter is RH-OOM") {
  CHECK(classify_ending({.oom_killed = true, .wait_status = killed(SIGKILL)}).cause == Cause::kOom);
}

TEST_CASE("SIGSYS after SECCOMP names the system call") {
  const auto ending = classify_ending({.seccomp = 175u, .wait_status = killed(SIGSYS)});
  CHECK(ending.cause == Cause::kSeccomp);
  CHECK(ending.argument == 175);
}

TEST_CASE("a failed start names its step, not the exit status") {
  const auto ending = classify_ending({.failed_step = StartStep::kCallable, .wait_status = exited(1)});
  CHECK(ending.cause == Cause::kImport);
  CHECK(ending.argument == static_cast<int>(StartStep::kCallable));
}

TEST_CASE("what we decided ourselves comes before what the process shows") {
  CHECK(classify_ending({.decided = Cause::kStartTimeout, .wait_status = killed(SIGKILL)}).cause ==
        Cause::kStartTimeout);
}

TEST_CASE("a death with the steward has no status and counts as SIGKILL") {
  const auto ending = classify_ending({});
  CHECK(ending.cause == Cause::kSignal);
  CHECK(ending.argument == SIGKILL);
}

TEST_CASE("restart, stop and shutdown are planned, a kill by the kernel is not") {
  CHECK(is_planned(Cause::kRestart));
  CHECK(is_planned(Cause::kShutdown));
  CHECK_FALSE(is_planned(Cause::kOom));
  CHECK_FALSE(is_planned(Cause::kRequestTimeout));
}
