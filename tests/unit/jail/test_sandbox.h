// Plays the supervisor for one real jail: clones it into its namespaces as root, sends it a probe program in
// the worker's place, and drives its steward.  Everything is gone when the object is.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/message_socket.h"
#include "base/unique_fd.h"
#include "proto/jail_messages.h"
#include "proto/lifeline.h"

namespace rowhouse::jail {

inline constexpr std::uint32_t kTestUid = 61001, kNeighbourUid = 61002;
inline constexpr int kDeadlineMs = 20'000;

// The jail that was built with these tests, or the one that ROWHOUSE_JAIL names.
const char* jail_under_test();

// A directory with two homes below it, those of kTestUid and kNeighbourUid; removed at the end.  The first
// one gives the test program a mount namespace of its own, so that what a test mounts goes with the program.
class TestHomes {
 public:
  TestHomes();
  ~TestHomes();
  TestHomes(const TestHomes&) = delete;
  TestHomes& operator=(const TestHomes&) = delete;
  [[nodiscard]] const std::string& base() const { return base_; }
  [[nodiscard]] std::string home() const { return base_ + "/acme"; }
  [[nodiscard]] std::string neighbour() const { return base_ + "/globex"; }

 private:
  std::string base_;
};

// What this kernel has: 0 without Landlock.  The walls that need more are expected to be missing.
inline constexpr int kAbiWithScopes = 6;
int kernel_landlock_abi();

struct Outcome {
  std::string output;
  int wait_status = -1;
};

// The ends that a supervisor keeps of one worker.
struct TestWorker {
  UniqueFd lifeline, log;
  pid_t host_pid = 0;
};

class TestSandbox {
 public:
  explicit TestSandbox(const TestHomes& homes);
  ~TestSandbox();
  TestSandbox(const TestSandbox&) = delete;
  TestSandbox& operator=(const TestSandbox&) = delete;

  // To be changed before start().
  proto::JailSetup setup;
  std::string worker_program;
  std::vector<std::string> prefixes;  // and directories of sockets
  std::vector<std::uint16_t> ports;
  std::vector<std::string> touches;
  std::uint64_t extra_clone_flags = 0;
  int report_buffer_bytes = 0;  // SO_SNDBUF of the jail's end; 0: the system's

  void start();                           // launch and send the request
  void launch();                          // only the process
  std::uint32_t wait_until_ready();       // the missing walls; fails the test on anything else
  proto::JailFailed wait_until_failed();  // also checks the exit status
  proto::IncomingMessage next_message();  // of the control socket, within the deadline

  // Spawn with the ends for the child; the returned worker has said BORN unless `born` is not awaited.
  TestWorker spawn(std::uint32_t worker, const std::vector<std::string>& arguments);
  void await_born(TestWorker& worker);
  void go(const TestWorker& worker);
  // The whole life of a worker: what it wrote and how it ended.
  Outcome run(const std::vector<std::string>& arguments);
  // The same for Python source, run by the Debian interpreter.
  Outcome run_python(const std::string& source) { return run({"exec", "/usr/bin/python3", "-c", source}); }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int control() const { return control_.get(); }
  void close_control() { control_.reset(); }
  // What the jail wrote to its own log so far.  Blocks until its end when the jail has ended.
  std::string read_log();
  int wait_for_end();

 private:
  UniqueFd control_, log_, pidfd_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  std::uint32_t next_worker_ = 1;
};

// Fails the test unless the process is gone, reaped included, within the deadline.
void wait_until_gone(pid_t pid);
// All bytes until the end of the pipe, or within the deadline.
std::string read_to_end(int fd);

}  // namespace rowhouse::jail
