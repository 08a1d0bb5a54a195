#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/files.h"
#include "proto/common_messages.h"
#include "supervisor/jail/worker_table.h"
#include "test_sandbox.h"

namespace rowhouse::jail {
namespace {

struct Running {
  TestHomes homes;
  TestSandbox sandbox{homes};
  Running() {
    sandbox.start();
    sandbox.wait_until_ready();
  }
  proto::WorkerExited next_exit() {
    return proto::decode_message<proto::WorkerExited>(sandbox.next_message()).value();
  }
};

std::string status_of(pid_t pid) {
  return read_file(AT_FDCWD, ("/proc/" + std::to_string(pid) + "/status").c_str(), 1 << 16).value();
}

// The one child of `parent` that is not `other`.
pid_t child_of(pid_t parent, pid_t other) {
  const std::string number = std::to_string(parent);
  std::istringstream children(
      read_file(AT_FDCWD, ("/proc/" + number + "/task/" + number + "/children").c_str(), 1 << 16).value());
  for (pid_t child = 0; children >> child;) {
    if (child != other) return child;
  }
  return -1;
}

UniqueFd open_process(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// Forks as often as its argument says, all but the first and the last one end, and writes a line when that is done.
constexpr const char* kForks = R"(
import os, sys, time
if os.fork() == 0:
    if sys.argv[1] == "2" and os.fork() != 0:
        os._exit(0)
    time.sleep(3600)
if sys.argv[1] == "2":
    os.wait()
print("forked", flush=True)
time.sleep(3600)
)";

TestWorker spawn_forking(TestSandbox& sandbox, std::uint32_t worker, const char* times) {
  TestWorker started = sandbox.spawn(worker, {"exec", "/usr/bin/python3", "-c", kForks, times});
  sandbox.await_born(started);
  sandbox.go(started);
  char text[7];
  REQUIRE(::read(started.log.get(), text, sizeof text) == 7);
  return started;
}

// Seen asleep this often in a row, in between the reaping that is under way: it waits.
void wait_until_asleep(pid_t pid) {
  constexpr int kSeen = 20;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  int asleep = 0;
  while (asleep < kSeen && std::chrono::steady_clock::now() < deadline) {
    asleep = status_of(pid).find("State:\tS") != std::string::npos ? asleep + 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(asleep == kSeen);
}

}  // namespace

TEST_CASE_FIXTURE(Running, "a worker is born, waits for GO, runs and its exit is reported") {
  TestWorker worker = sandbox.spawn(5, {"environment"});
  sandbox.await_born(worker);
  CHECK(status_of(worker.host_pid).find("Uid:\t61001\t61001\t61001\t61001\n") != std::string::npos);
  sandbox.go(worker);
  const std::string output = read_to_end(worker.log.get());
  CHECK(output == "rowhouse-worker acme/site\nHOME=" + homes.home() +
                      "\nUSER=acme\nLOGNAME=acme\nPATH=/usr/local/bin:/usr/bin:/bin\nLANG=C.UTF-8\n");
  const auto exited = next_exit();
  CHECK(exited.worker == 5);
  CHECK(WIFEXITED(exited.wait_status));
  CHECK(WEXITSTATUS(exited.wait_status) == 7);
}

TEST_CASE_FIXTURE(Running, "a worker begins with its five descriptors and no other") {
  CHECK(sandbox.run({"descriptors"}).output == "0\n1\n2\n3\n4\n");
}

TEST_CASE_FIXTURE(Running, "a worker that waits for GO holds nothing of the steward's") {
  TestWorker worker = sandbox.spawn(1, {});
  sandbox.await_born(worker);
  const std::string directory = "/proc/" + std::to_string(worker.host_pid) + "/fd";
  std::set<std::string> open;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    open.insert(entry.path().filename());
  CHECK(open == std::set<std::string>{"0", "1", "2", "3", "4"});
}

TEST_CASE_FIXTURE(Running, "a worker whose lifeline ends before GO never runs the worker program") {
  TestWorker worker = sandbox.spawn(1, {"environment"});
  sandbox.await_born(worker);
  worker.lifeline.reset();
  CHECK(read_to_end(worker.log.get()).empty());
  CHECK(WEXITSTATUS(next_exit().wait_status) == 127);
}

TEST_CASE_FIXTURE(Running, "any other record than GO ends a worker that waits for it") {
  TestWorker worker = sandbox.spawn(1, {"environment"});
  sandbox.await_born(worker);
  REQUIRE(proto::send_lifeline(worker.lifeline.get(), {proto::LifelineType::kDrain, 0}).ok());
  CHECK(read_to_end(worker.log.get()).empty());
  CHECK(WEXITSTATUS(next_exit().wait_status) == 127);
}

TEST_CASE_FIXTURE(Running, "a death by signal is reported as one") {
  TestWorker worker = sandbox.spawn(9, {"wait"});
  sandbox.await_born(worker);
  sandbox.go(worker);
  char text[8];
  REQUIRE(::read(worker.log.get(), text, sizeof text) == 8);  // "waiting\n": past its exec
  REQUIRE(::kill(worker.host_pid, SIGSEGV) == 0);
  const auto exited = next_exit();
  CHECK(exited.worker == 9);
  CHECK(WIFSIGNALED(exited.wait_status));
  CHECK(WTERMSIG(exited.wait_status) == SIGSEGV);
}

TEST_CASE_FIXTURE(Running, "a call that no web application makes ends the worker by SIGSYS") {
  const Outcome outcome = sandbox.run({"trap"});
  CHECK(WIFSIGNALED(outcome.wait_status));
  CHECK(WTERMSIG(outcome.wait_status) == SIGSYS);
}

TEST_CASE("a worker program that cannot be executed is a failed spawn with its errno") {
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.worker_program = "/etc/passwd";
  sandbox.start();
  sandbox.wait_until_ready();
  TestWorker worker = sandbox.spawn(3, {});
  sandbox.await_born(worker);
  sandbox.go(worker);
  const auto failed = proto::decode_message<proto::SpawnFailed>(sandbox.next_message());
  REQUIRE(failed.ok());
  CHECK(failed.value().worker == 3);
  CHECK(failed.value().system_errno == EACCES);
}

TEST_CASE_FIXTURE(Running, "two hundred orphans are reaped and only the worker is reported") {
  const Outcome outcome = sandbox.run({"orphans", "200"});
  CHECK(WEXITSTATUS(outcome.wait_status) == 7);
  // Nothing is left but the steward and whoever looks.
  const Outcome listed = sandbox.run_python(
      "import os, time\ndeadline = time.monotonic() + 10\n"
      "while len([p for p in os.listdir('/proc') if p.isdigit()]) > 2 and time.monotonic() < deadline: "
      "os.sched_yield()\n"
      "print(len([p for p in os.listdir('/proc') if p.isdigit()]))");
  CHECK(listed.output == "2\n");
}

TEST_CASE_FIXTURE(Running, "the end of a process that a template has forked is reported under the number it was given") {
  const TestWorker parent = spawn_forking(sandbox, 1, "2");
  const pid_t forked = child_of(sandbox.pid(), parent.host_pid);
  REQUIRE(forked > 0);
  const UniqueFd process = open_process(forked);
  for (int i = 0; i < 2; ++i) {  // said again by the next supervisor
    REQUIRE(proto::send_control(sandbox.control(), proto::Reap{2}, {process.get()}).ok());
  }
  REQUIRE(::kill(forked, SIGSEGV) == 0);
  const auto exited = next_exit();
  CHECK(exited.worker == 2);
  CHECK(WIFSIGNALED(exited.wait_status));
  CHECK(WTERMSIG(exited.wait_status) == SIGSEGV);
}

TEST_CASE_FIXTURE(Running, "of a process that ends right after it was named the end is reported all the same") {
  const TestWorker parent = spawn_forking(sandbox, 1, "2");
  const pid_t forked = child_of(sandbox.pid(), parent.host_pid);
  const UniqueFd process = open_process(forked);
  // Both wait for the steward when it goes on.
  REQUIRE(::kill(sandbox.pid(), SIGSTOP) == 0);
  REQUIRE(proto::send_control(sandbox.control(), proto::Reap{2}, {process.get()}).ok());
  REQUIRE(::kill(forked, SIGKILL) == 0);
  REQUIRE(::kill(sandbox.pid(), SIGCONT) == 0);
  const auto exited = next_exit();
  CHECK(exited.worker == 2);
  CHECK(WTERMSIG(exited.wait_status) == SIGKILL);
}

TEST_CASE_FIXTURE(Running, "a process that is somebody else's child is not taken for a worker") {
  const TestWorker parent = spawn_forking(sandbox, 1, "1");
  const pid_t forked = child_of(parent.host_pid, 0);
  REQUIRE(forked > 0);
  const UniqueFd process = open_process(forked);
  REQUIRE(proto::send_control(sandbox.control(), proto::Reap{2}, {process.get()}).ok());
  const auto failed = proto::decode_message<proto::SpawnFailed>(sandbox.next_message());
  REQUIRE(failed.ok());
  CHECK(failed.value().worker == 2);
  CHECK(failed.value().system_errno == ECHILD);
}

TEST_CASE_FIXTURE(Running, "several workers live at once, each with its own end") {
  TestWorker first = sandbox.spawn(1, {"wait"}), second = sandbox.spawn(2, {"wait"});
  for (TestWorker* worker : {&first, &second}) {
    sandbox.await_born(*worker);
    sandbox.go(*worker);
  }
  second.lifeline.reset();
  CHECK(next_exit().worker == 2);
  first.lifeline.reset();
  CHECK(next_exit().worker == 1);
}

TEST_CASE("a supervisor that does not read loses no report") {
  constexpr int kWorkers = 200;
  const TestHomes homes;
  TestSandbox sandbox(homes);
  sandbox.report_buffer_bytes = 1;  // the least that the kernel has: room for a few reports
  sandbox.start();
  sandbox.wait_until_ready();
  for (std::uint32_t i = 0; i < kWorkers; ++i) {
    TestWorker worker = sandbox.spawn(1000 + i, {"environment"});
    sandbox.await_born(worker);
    worker.lifeline.reset();
    wait_until_gone(worker.host_pid);
  }
  std::vector<bool> seen(kWorkers);
  for (int i = 0; i < kWorkers; ++i) {
    const auto exited = proto::decode_message<proto::WorkerExited>(sandbox.next_message()).value();
    REQUIRE(exited.worker - 1000 < kWorkers);
    CHECK_FALSE(seen[exited.worker - 1000]);
    seen[exited.worker - 1000] = true;
  }
}

TEST_CASE_FIXTURE(Running,
                  "when the supervisor goes the workers stay, and the steward reaps on without spinning") {
  TestWorker worker = sandbox.spawn(1, {"wait"});
  sandbox.await_born(worker);
  sandbox.go(worker);
  char text[8];
  REQUIRE(::read(worker.log.get(), text, sizeof text) == 8);
  sandbox.close_control();
  worker.lifeline.reset();
  CHECK(read_to_end(worker.log.get()).empty());
  wait_until_gone(worker.host_pid);
  wait_until_asleep(sandbox.pid());  // a steward that spins never is, but for moments
}

TEST_CASE_FIXTURE(Running, "one worker too many is refused at once, and the others live on") {
  std::vector<TestWorker> workers;
  for (std::uint32_t i = 0; i < kMaxSandboxWorkers; ++i) {
    workers.push_back(sandbox.spawn(i, {"environment"}));
    sandbox.await_born(workers.back());
  }
  const TestWorker refused = sandbox.spawn(kMaxSandboxWorkers, {"environment"});
  const auto failed = proto::decode_message<proto::SpawnFailed>(sandbox.next_message());
  REQUIRE(failed.ok());
  CHECK(failed.value().worker == kMaxSandboxWorkers);
  CHECK(failed.value().system_errno == EAGAIN);
  workers[7].lifeline.reset();
  CHECK(next_exit().worker == 7);
}

TEST_CASE_FIXTURE(Running,
                  "a message that a supervisor never sends ends the steward and with it the sandbox") {
  REQUIRE(proto::send_control(sandbox.control(), proto::StewardReady{0}).ok());
  CHECK(sandbox.wait_until_failed().step == proto::JailStep::kNone);
}

#ifndef __SANITIZE_ADDRESS__  // which has memory of its own in every program
TEST_CASE_FIXTURE(Running, "a second steward costs less than 300 KiB of its own") {
  TestSandbox second(homes);  // what the two share is the program
  second.start();
  second.wait_until_ready();
  const std::string path = "/proc/" + std::to_string(second.pid()) + "/smaps_rollup";
  const std::string memory = read_file(AT_FDCWD, path.c_str(), 1 << 16).value();
  const auto kilobytes = [&](const std::string& key) {
    return std::stoul(memory.substr(memory.find(key) + key.size()));
  };
  CHECK(kilobytes("Private_Clean:") + kilobytes("Private_Dirty:") < 300);
}
#endif

TEST_CASE("a steward says that a file was touched, and says it again to the next supervisor") {
  TestHomes homes;
  TestSandbox sandbox(homes);
  const std::string path = homes.home() + "/restart.txt";
  sandbox.touches = {path};
  sandbox.start();
  sandbox.wait_until_ready();
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  REQUIRE(file.valid());
  CHECK(sandbox.next_message().type == proto::MessageType::kTouched);
  REQUIRE(proto::send_control(sandbox.control(), proto::Resync{7}).ok());
  std::set<proto::MessageType> said = {sandbox.next_message().type, sandbox.next_message().type};
  CHECK(said == std::set<proto::MessageType>{proto::MessageType::kTouched, proto::MessageType::kResynced});
}

}  // namespace rowhouse::jail
