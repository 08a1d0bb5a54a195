#include <doctest/doctest.h>
#include <sys/syscall.h>

#include <csignal>

#include "control/ending_text.h"
#include "proto/jail_messages.h"

using namespace rowhouse::control;
using rowhouse::proto::Cause;

TEST_CASE("the detail begins with the argument of the cause") {
  CHECK(ending_detail({Cause::kExit, 1, {}}, "ignored") == "1");
  CHECK(ending_detail({Cause::kSignal, SIGKILL, {}}, "ignored") == "SIGKILL");
  CHECK(ending_detail({Cause::kSignal, SIGRTMIN + 3, {}}, "") == "SIGRTMIN+3");
  CHECK(ending_detail({Cause::kSignal, 4711, {}}, "") == "signal 4711");
  CHECK(ending_detail({Cause::kSeccomp, SYS_ptrace, {}}, "") == "ptrace");
  CHECK(ending_detail({Cause::kSeccomp, 99999, {}}, "") == "system call 99999");
  CHECK(ending_detail({Cause::kOom, 0, {}}, "ignored") == "");
}

TEST_CASE("an OOM kill names whose limit it was and what the worker had of it") {
  const rowhouse::proto::LimitFacts app{rowhouse::proto::LimitOwner::kApp, 128u << 20, 96u << 20, 0, 0};
  CHECK(ending_detail({Cause::kOom, 0, app}, "") == "limit 128M of the app, of which this worker had 96M");
  const rowhouse::proto::LimitFacts plan{rowhouse::proto::LimitOwner::kPlan, 3ull << 29, 0, 0, 0};
  CHECK(ending_detail({Cause::kOom, 0, plan}, "") == "limit 1.5G of the plan");
}

TEST_CASE("a start that found the pids limit full says which it is and what to do") {
  rowhouse::proto::Ending ending{Cause::kSpawn, 0, {}};
  CHECK(ending_detail(ending, "") == "launch");
  ending.limits.pids_limit = 32;
  CHECK(ending_detail(ending, "") ==
        "launch; the pids limit of 32 is reached, so no process could be added; stop the app, then start it");
}

TEST_CASE("forks that a pids limit refused stand behind the detail of any death") {
  const rowhouse::proto::LimitFacts refused{rowhouse::proto::LimitOwner::kNone, 0, 0, 12, 64};
  const std::string text = "12 processes or threads were refused by the pids limit of 64";
  CHECK(ending_detail({Cause::kExit, 1, refused}, "") == "1; " + text);
  CHECK(ending_detail({Cause::kMaxMemory, 0, refused}, "") == text);
}

TEST_CASE("a failed import names its step and the last line of stderr") {
  CHECK(ending_detail({Cause::kImport, 5, {}}, "KeyError: 'x'") == "import module: KeyError: 'x'");
  CHECK(ending_detail({Cause::kImport, 6, {}}, "") == "find callable");
  CHECK(ending_detail({Cause::kImport, 999, {}}, "") == "unknown");
  CHECK(ending_detail({Cause::kImport, -1, {}}, "") == "unknown");
}

TEST_CASE("a failed spawn names the step of the jail") {
  CHECK(ending_detail({Cause::kSpawn, 0, {}}, "") == "launch");
  CHECK(ending_detail({Cause::kSpawn, 18, {}}, "") == "seccomp");
  CHECK(ending_detail({Cause::kSpawn, 10, {}}, "pivot_root: EPERM") == "pivot root: pivot_root: EPERM");
  CHECK(ending_detail({Cause::kSpawn, 19, {}}, "") == "unknown step");
  CHECK(ending_detail({Cause::kSpawn, INT32_MIN, {}}, "") == "missing walls");
  CHECK(ending_detail({Cause::kSpawn, -65, {}}, "") == "missing walls landlock cgroup-kill");
}

TEST_CASE("every cause has a sentence of its own") {
  for (std::uint16_t number = 1; number < 256; ++number) {
    if (!rowhouse::proto::is_cause(number)) continue;
    const auto sentence = cause_sentence(static_cast<Cause>(number));
    CHECK_MESSAGE(sentence.ends_with('.'), number);
    for (std::uint16_t other = 1; other < number; ++other) {
      CHECK(cause_sentence(static_cast<Cause>(other)) != sentence);
    }
  }
}

TEST_CASE("a death is told as dying, a planned end as ending, a failed sandbox as failing") {
  CHECK(death_line(3, 2, Cause::kSignal, "SIGKILL") == "worker 2 died: RH-SIGNAL SIGKILL");
  CHECK(death_line(3, 2, Cause::kRestart, "") == "worker 2 ended: RH-RESTART");
  CHECK(death_line(3, 0, Cause::kSpawn, "pivot root") ==
        "the sandbox of generation 3 failed: RH-SPAWN pivot root");
}

TEST_CASE("every missing wall has a name") {
  CHECK(missing_wall_names(0).empty());
  CHECK(missing_wall_names(0xff).size() == 8);
  CHECK(missing_wall_names(1u << 6) == std::vector<std::string>{"cgroup-kill"});
}
