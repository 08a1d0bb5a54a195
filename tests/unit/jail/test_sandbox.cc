#include "test_sandbox.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <csignal>
#include <filesystem>

#include "base/files.h"

namespace rowhouse::jail {
namespace {

constexpr std::uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

struct Pipe {
  UniqueFd read, write;
};

Pipe make_pipe(std::uint32_t owner) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(::fchown(ends[1], owner, owner) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void make_home(const std::string& path, std::uint32_t owner) {
  REQUIRE(::mkdir(path.c_str(), 0755) == 0);  // as open as a careless tenant leaves it
  REQUIRE(::chown(path.c_str(), owner, owner) == 0);
  const UniqueFd file(::open((path + "/secret").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  REQUIRE(write_all(file.get(), "of " + std::to_string(owner)).ok());
  REQUIRE(::fchown(file.get(), owner, owner) == 0);
}

UniqueFd detached(const std::string& path) {
  UniqueFd tree(::open_tree(AT_FDCWD, path.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  REQUIRE(tree.valid());
  return tree;
}

void own_mounts() {
  static bool done = false;
  if (done) return;
  REQUIRE(::unshare(CLONE_NEWNS) == 0);
  REQUIRE(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  done = true;
}

// In the child: the descriptors that rowhouse-jail is promised, then exec with an empty environment.
[[noreturn]] void exec_jail(int control, int log) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int high_control = ::fcntl(control, F_DUPFD_CLOEXEC, 64),
            high_log = ::fcntl(log, F_DUPFD_CLOEXEC, 64);
  ::dup2(null, 0);
  ::dup2(high_log, 1);
  ::dup2(high_log, 2);
  ::dup2(high_control, 3);
  const char* arguments[] = {"rowhouse-jail", nullptr};
  const char* environment[] = {nullptr};
  ::execve(jail_under_test(), const_cast<char**>(arguments), const_cast<char**>(environment));
  ::_exit(126);
}

}  // namespace

int kernel_landlock_abi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

const char* jail_under_test() {
  const char* named = std::getenv("ROWHOUSE_JAIL");
  return named != nullptr ? named : ROWHOUSE_JAIL;
}

TestHomes::TestHomes() {
  REQUIRE_MESSAGE(::geteuid() == 0, "the jail's tests play the supervisor and need root");
  own_mounts();
  std::string name = "/var/tmp/rowhouse-jail-XXXXXX";
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  base_ = name;
  REQUIRE(::chmod(base_.c_str(), 0755) == 0);
  make_home(home(), kTestUid);
  make_home(neighbour(), kNeighbourUid);
}
TestHomes::~TestHomes() {
  ::umount2(home().c_str(), MNT_DETACH);  // where a test mounted something on it
  std::filesystem::remove_all(base_);
}

TestSandbox::TestSandbox(const TestHomes& homes) : worker_program(ROWHOUSE_PROBE) {
  setup.uid = setup.gid = kTestUid;
  setup.tenant = setup.user = proto::Name::cut("acme");
  setup.app = proto::Name::cut("site");
  setup.home = proto::Path::cut(homes.home());
  setup.open_files = 512;
  setup.tmp_bytes = 1 << 20;
  setup.tmp_inodes = 64;
}

TestSandbox::~TestSandbox() {
  if (pid_ < 0 || reaped_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, __WALL);
}

void TestSandbox::launch() {
  SocketPair pair = std::move(create_seqpacket_pair()).value();
  if (report_buffer_bytes != 0) {
    REQUIRE(::setsockopt(pair.theirs.get(), SOL_SOCKET, SO_SNDBUF, &report_buffer_bytes,
                         sizeof report_buffer_bytes) == 0);
  }
  Pipe log = make_pipe(setup.uid);
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = kNamespaces | CLONE_PIDFD | extra_clone_flags;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  REQUIRE(pid >= 0);
  if (pid == 0) exec_jail(pair.theirs.get(), log.write.get());
  pid_ = static_cast<pid_t>(pid);
  pidfd_.reset(pidfd);
  control_ = std::move(pair.ours);
  log_ = std::move(log.read);
}

void TestSandbox::start() {
  launch();
  const UniqueFd worker = detached(worker_program);
  REQUIRE(proto::send_control(control_.get(), proto::JailMount{proto::Path::cut(proto::kWorkerPathInSandbox)},
                              {worker.get()})
              .ok());
  for (const std::string& prefix : prefixes) {
    const UniqueFd tree = detached(prefix);
    REQUIRE(
        proto::send_control(control_.get(), proto::JailMount{proto::Path::cut(prefix)}, {tree.get()}).ok());
  }
  for (const std::uint16_t port : ports) {
    REQUIRE(proto::send_control(control_.get(), proto::JailPort{port}).ok());
  }
  for (const std::string& path : touches) {
    REQUIRE(proto::send_control(control_.get(), proto::JailWatch{proto::Path::cut(path)}).ok());
  }
  REQUIRE(proto::send_control(control_.get(), setup).ok());
}

proto::IncomingMessage TestSandbox::next_message() {
  auto message = proto::wait_for_control(control_.get(), kDeadlineMs);
  REQUIRE_MESSAGE(message.ok(), describe(message.error()));
  return std::move(message).value();
}

std::uint32_t TestSandbox::wait_until_ready() {
  const proto::IncomingMessage message = next_message();
  REQUIRE_MESSAGE(message.type == proto::MessageType::kStewardReady, read_log());
  return proto::decode_message<proto::StewardReady>(message).value().missing_walls;
}

proto::JailFailed TestSandbox::wait_until_failed() {
  const proto::IncomingMessage message = next_message();
  REQUIRE(message.type == proto::MessageType::kJailFailed);
  const auto failed = proto::decode_message<proto::JailFailed>(message).value();
  const int status = wait_for_end();
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == proto::kJailExitBase + static_cast<int>(failed.step));
  return failed;
}

int TestSandbox::wait_for_end() {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  REQUIRE(::poll(&ended, 1, kDeadlineMs) == 1);
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, __WALL) == pid_);
  reaped_ = true;
  return status;
}

std::string TestSandbox::read_log() {
  if (!reaped_) REQUIRE(set_nonblocking(log_.get()).ok());
  std::string text;
  char chunk[4096];
  for (ssize_t got = 0; (got = ::read(log_.get(), chunk, sizeof chunk)) > 0;)
    text.append(chunk, static_cast<std::size_t>(got));
  return text;
}

TestWorker TestSandbox::spawn(std::uint32_t worker, const std::vector<std::string>& arguments) {
  std::string part;
  for (const std::string& argument : arguments) part += argument + '\0';
  const UniqueFd memory = std::move(create_sealed_memory("part", as_bytes(part))).value();
  SocketPair lifeline = std::move(create_seqpacket_pair()).value();
  const int on = 1;
  REQUIRE(::setsockopt(lifeline.ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
  Pipe log = make_pipe(setup.uid);
  REQUIRE(proto::send_control(control_.get(), proto::Spawn{worker},
                              {lifeline.theirs.get(), log.write.get(), memory.get()})
              .ok());
  return {std::move(lifeline.ours), std::move(log.read), 0};
}

void TestSandbox::await_born(TestWorker& worker) {
  std::uint8_t buffer[64];
  const auto born = wait_for_message(worker.lifeline.get(), buffer, kDeadlineMs);
  REQUIRE(born.ok());
  const auto record = proto::decode_lifeline(ByteSpan(buffer).first(born.value().size));
  REQUIRE(record.ok());
  CHECK(record.value().type == proto::LifelineType::kBorn);
  REQUIRE(born.value().credentials.has_value());
  CHECK(born.value().credentials->uid == setup.uid);
  worker.host_pid = born.value().credentials->pid;
}

void TestSandbox::go(const TestWorker& worker) {
  REQUIRE(proto::send_lifeline(worker.lifeline.get(), {proto::LifelineType::kGo, 0}).ok());
}

Outcome TestSandbox::run(const std::vector<std::string>& arguments) {
  const std::uint32_t number = next_worker_++;
  TestWorker worker = spawn(number, arguments);
  await_born(worker);
  go(worker);
  Outcome outcome{read_to_end(worker.log.get()), -1};
  const auto exited = proto::decode_message<proto::WorkerExited>(next_message());
  REQUIRE(exited.ok());
  CHECK(exited.value().worker == number);
  outcome.wait_status = exited.value().wait_status;
  return outcome;
}

void wait_until_gone(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
  while (::kill(pid, 0) == 0) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    ::sched_yield();
  }
}

std::string read_to_end(int fd) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
  std::string text;
  char chunk[4096];
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd waiting{fd, POLLIN, 0};
    if (::poll(&waiting, 1, 1000) <= 0) continue;
    const ssize_t got = ::read(fd, chunk, sizeof chunk);
    if (got <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  FAIL("no end of output: " << text);
  return text;
}

}  // namespace rowhouse::jail
