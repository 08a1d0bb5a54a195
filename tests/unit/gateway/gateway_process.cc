#include "gateway_process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "base/files.h"
#include "base/message_socket.h"
#include "proto/common_messages.h"
#include "proto/gateway_part.h"
#include "proto/lifeline.h"

namespace rowhouse::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what);
}

}  // namespace

void GatewayProcess::require(bool holds, const char* what) {
  if (!holds) fail(std::string("missing: ") + what);
}

GatewayProcess::GatewayProcess(std::uint32_t gateways) {
  auto control = create_seqpacket_pair();
  auto access = create_seqpacket_pair();
  require(control.ok() && access.ok(), "socketpair");
  table_fd_ = UniqueFd(::memfd_create("table", MFD_CLOEXEC));
  require(::ftruncate(table_fd_.get(), sizeof(proto::SharedTable)) == 0, "ftruncate");
  void* memory =
      ::mmap(nullptr, sizeof(proto::SharedTable), PROT_READ | PROT_WRITE, MAP_SHARED, table_fd_.get(), 0);
  require(memory != MAP_FAILED, "mmap");
  table_ = static_cast<proto::SharedTable*>(memory);
  control_ = std::move(control.value().ours);
  access_ = std::move(access.value().ours);
  start(control.value().theirs.get());
  send(proto::GatewaySetup{0, gateways, 0}, {access.value().theirs.get(), table_fd_.get()});
  open_listener();
  send(proto::Listener{0}, {listener_.get()});
  expect<proto::GatewayReady>();
}

void GatewayProcess::start(int control) {
  const char* program = std::getenv("ROWHOUSE_GATEWAY");
  if (program == nullptr) fail("ROWHOUSE_GATEWAY is not set");
  std::string empty = std::filesystem::temp_directory_path() / "rowhouse-empty-XXXXXX";
  require(::mkdtemp(empty.data()) != nullptr, "mkdtemp");
  const int root = ::open(empty.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require(root >= 0 && ::rmdir(empty.c_str()) == 0, "an empty directory");
  pid_ = ::fork();
  require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    // dup2 clears close-on-exec; from 3 to 3 it would not.
    const int copy = ::fcntl(control, F_DUPFD, 100);
    if (::dup2(copy, proto::kControlFd) < 0) ::_exit(126);
    if (::dup2(root, proto::kGatewayRootFd) < 0) ::_exit(126);
    ::close(copy);
    ::execl(program, program, static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::close(root);
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

void GatewayProcess::open_listener() {
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
  require(::listen(listener_.get(), 1024) == 0, "listen");
  socklen_t size = sizeof address;
  require(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
}

GatewayProcess::~GatewayProcess() {
  control_.reset();
  if (pid_ > 0) {
    const int status = wait_exit();
    if (status != 0) {
      std::fprintf(stderr, "the gateway ended with %d\n", status);
      std::abort();
    }
  }
  if (table_ != nullptr) ::munmap(table_, sizeof *table_);
}

std::size_t GatewayProcess::open_descriptors() const {
  std::error_code error;
  std::size_t count = 0;
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid_) + "/fd", error);
  if (error) return 0;
  for ([[maybe_unused]] const auto& one : all) ++count;
  return count;
}

int GatewayProcess::wait_exit(int timeout_ms) {
  if (pid_ < 0 || !wait_readable(pidfd_.get(), timeout_ms)) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

void GatewayProcess::add_app(const AppOptions& options) {
  proto::AppBegin begin;
  begin.app = options.app;
  begin.slot = options.app;
  begin.revision = ++revision_;
  begin.tenant = proto::Name::cut("acme");
  begin.name = proto::Name::cut("site");
  begin.uid = ::getuid();
  begin.body_bytes = options.body_bytes;
  begin.request_ms = options.request_ms;
  begin.queue_ms = options.queue_ms;
  begin.concurrency = options.concurrency;
  begin.queue = options.queue;
  begin.connections = options.connections;
  begin.bytes_out = options.bytes_out;
  send(begin);
  send(proto::AppRoute{options.app, proto::Host::cut(options.host), proto::Prefix::cut(options.prefix)});
  if (!options.static_prefix.empty()) {
    const UniqueFd root(::open(options.static_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    send(proto::AppStatic{options.app, proto::Prefix::cut(options.static_prefix)}, {root.get()});
  }
  proto::GatewayPart part;
  part.buffering = options.buffering;
  part.buffer_responses = options.buffer_responses;
  const auto bytes = proto::encode_gateway_part(part);
  require(bytes.ok(), "a gateway part");
  const auto memory = create_sealed_memory("part", as_bytes(bytes.value()));
  require(memory.ok(), "memory");
  send(proto::AppPart{options.app}, {memory.value().get()});
  send(proto::AppRetry{options.app, options.retry});
  send(proto::AppCommit{options.app, revision_});
  require(expect<proto::AppCommitted>().revision == revision_, "AppCommitted");
}

FakeWorker GatewayProcess::add_worker(std::uint32_t worker, std::uint32_t threads, std::uint32_t app,
                                      std::uint32_t generation) {
  auto pair = create_stream_pair();
  require(pair.ok(), "socketpair");
  send(proto::WorkerAdd{app, generation, worker, worker, threads}, {pair.value().theirs.get()});
  send(proto::Switch{app, generation});
  require(expect<proto::Switched>().generation == generation, "Switched");
  return FakeWorker(std::move(pair.value().ours));
}

void GatewayProcess::worker_gone(std::uint32_t worker, std::uint32_t app, std::uint32_t generation) {
  send(proto::WorkerGone{app, generation, worker});
}

void GatewayProcess::settle() {
  send(proto::Ping{++nonce_});
  require(expect<proto::Pong>().nonce == nonce_, "Pong");
}

std::string_view GatewayProcess::next_record_bytes() {
  record_bytes_.resize(proto::kMaxAccessRecordBytes);
  require(wait_readable(access_.get()), "a record");
  const ssize_t size = ::recv(access_.get(), record_bytes_.data(), record_bytes_.size(), 0);
  require(size > 0, "a record");
  return std::string_view(record_bytes_).substr(0, static_cast<std::size_t>(size));
}

proto::AccessRecord GatewayProcess::next_record() {
  std::string_view bytes = next_record_bytes();
  while (proto::is_running_record(as_bytes(bytes))) bytes = next_record_bytes();
  const auto record = proto::parse_access_record(as_bytes(bytes));
  require(record.ok(), "an access record that can be parsed");
  return record.value();
}

proto::RunningRecord GatewayProcess::next_running() {
  std::string_view bytes = next_record_bytes();
  while (!proto::is_running_record(as_bytes(bytes))) bytes = next_record_bytes();
  const auto record = proto::parse_running_record(as_bytes(bytes));
  require(record.ok(), "a running record that can be parsed");
  return record.value();
}

}  // namespace rowhouse::test
