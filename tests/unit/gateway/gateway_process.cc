#include "gateway_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "base/message_socket.h"
#include "proto/common_messages.h"
#include "proto/lifeline.h"

namespace rowhouse::test {
namespace {

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

std::size_t parse_number(std::string_view text, int base) {
  return static_cast<std::size_t>(std::strtoull(std::string(text).c_str(), nullptr, base));
}

}  // namespace

bool wait_readable(int fd, int timeout_ms) {
  pollfd wanted{fd, POLLIN, 0};
  return ::poll(&wanted, 1, timeout_ms) > 0;
}

// --- a client ---------------------------------------------------------------------------------------------

std::string HttpAnswer::field(std::string_view name) const {
  const std::string key = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(key);
  if (at == std::string::npos) return "";
  const std::size_t start = at + key.size();
  return head.substr(start, head.find("\r\n", start) - start);
}

HttpClient::HttpClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
}

void HttpClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) fail("client send");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::size_t HttpClient::try_send(std::string_view bytes) {
  const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return count < 0 ? 0 : static_cast<std::size_t>(count);
}

void HttpClient::end_sending() { ::shutdown(socket_.get(), SHUT_WR); }

void HttpClient::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

bool HttpClient::fill(int timeout_ms) {
  if (ended_ || !wait_readable(socket_.get(), timeout_ms)) return false;
  char buffer[65536];
  const ssize_t count = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (count <= 0) {
    ended_ = true;
    reset_ = count < 0;
    return false;
  }
  input_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

std::string HttpClient::read_some(std::size_t count, int timeout_ms) {
  while (input_.size() < count && fill(timeout_ms)) {
  }
  std::string result = input_;
  input_.clear();
  return result;
}

std::string HttpClient::read_to_end() {
  while (fill(kPatienceMs)) {
  }
  if (!ended_) fail("the connection does not end");
  std::string result = input_;
  input_.clear();
  return result;
}

bool HttpClient::is_closed_by_gateway() {
  while (fill(kPatienceMs)) {
  }
  return ended_ && input_.empty();
}

HttpAnswer HttpClient::read_answer(std::string_view method) {
  HttpAnswer answer;
  std::size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill(kPatienceMs)) return answer;
  }
  answer.head = input_.substr(0, end + 4);
  input_.erase(0, end + 4);
  answer.status = std::atoi(answer.head.c_str() + 9);
  const bool has_body = method != "HEAD" && answer.status >= 200 && answer.status != 204 && answer.status != 304;
  const std::string length = answer.field("Content-Length");
  if (!has_body) {
    answer.complete = true;
  } else if (!length.empty()) {
    const std::size_t wanted = parse_number(length, 10);
    while (input_.size() < wanted && fill(kPatienceMs)) {
    }
    answer.complete = input_.size() >= wanted;
    answer.body = input_.substr(0, wanted);
    input_.erase(0, wanted);
  } else if (answer.field("Transfer-Encoding") == "chunked") {
    while (true) {
      std::size_t line = 0;
      while ((line = input_.find("\r\n")) == std::string::npos) {
        if (!fill(kPatienceMs)) return answer;
      }
      const std::size_t size = parse_number(input_.substr(0, line), 16);
      while (input_.size() < line + 4 + size) {
        if (!fill(kPatienceMs)) return answer;
      }
      answer.body += input_.substr(line + 2, size);
      input_.erase(0, line + 4 + size);
      if (size == 0) break;
    }
    answer.complete = true;
  } else {
    answer.body = read_to_end();
    answer.complete = !reset_;
  }
  return answer;
}

// --- a worker ---------------------------------------------------------------------------------------------

std::string SeenRequest::field(std::string_view name) const {
  for (const proto::Field& known : head.fields) {
    if (known.name == name) return std::string(known.value);
  }
  return "-";
}

FakeWorker::FakeWorker(UniqueFd channel, Greeting greeting, std::uint32_t window) : channel_(std::move(channel)) {
  if (greeting == Greeting::kNone) return;
  std::string hello;
  proto::append_hello(hello, window);
  send(hello);
}

void FakeWorker::send(std::string_view frames) {
  while (!frames.empty()) {
    const ssize_t count = ::send(channel_.get(), frames.data(), frames.size(), MSG_NOSIGNAL);
    if (count <= 0) return;  // the gateway may have closed on purpose
    frames.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::optional<OwnedFrame> FakeWorker::take_frame() {
  const auto parsed = proto::parse_frame(as_bytes(input_), proto::FrameSender::kGateway);
  if (!parsed.ok()) fail("the gateway sent a bad frame");
  if (!parsed.value()) return std::nullopt;
  const proto::Frame& frame = parsed.value()->frame;
  OwnedFrame owned{frame.type, frame.flags, frame.stream, std::string(as_text(frame.payload))};
  input_.erase(0, parsed.value()->size);
  return owned;
}

OwnedFrame FakeWorker::next(int timeout_ms) {
  while (true) {
    if (auto frame = take_frame()) {
      if (frame->type == proto::FrameType::kHello) continue;
      return *frame;
    }
    if (!fill(timeout_ms)) return {};
  }
}

bool FakeWorker::fill(int timeout_ms) {
  if (!wait_readable(channel_.get(), timeout_ms)) return false;
  char buffer[65536];
  const ssize_t count = ::recv(channel_.get(), buffer, sizeof buffer, 0);
  if (count > 0) input_.append(buffer, static_cast<std::size_t>(count));
  return count > 0;
}

bool FakeWorker::has_frame() {
  constexpr std::size_t kHelloBytes = proto::kFrameHeaderBytes + 8;
  while (input_.size() < kHelloBytes && fill(0)) {
  }
  const std::size_t greeting = !input_.empty() && input_[4] == static_cast<char>(proto::FrameType::kHello);
  return input_.size() > greeting * kHelloBytes;
}

std::unique_ptr<SeenRequest> FakeWorker::next_request(int timeout_ms) {
  OwnedFrame frame = next(timeout_ms);
  while (frame.type == proto::FrameType::kCredit) frame = next(timeout_ms);
  if (frame.type != proto::FrameType::kRequest) fail("no REQUEST came");
  auto seen = std::make_unique<SeenRequest>();
  seen->stream = frame.stream;
  seen->has_body = !frame.last();
  seen->payload = std::move(frame.payload);
  auto head = proto::parse_request(as_bytes(seen->payload), seen->room);
  if (!head.ok()) fail("REQUEST that cannot be parsed: " + describe(head.error()));
  seen->head = head.value();
  return seen;
}

std::string FakeWorker::read_body(std::uint32_t stream) {
  std::string body;
  while (true) {
    const OwnedFrame frame = next();
    if (frame.type != proto::FrameType::kBody || frame.stream != stream) fail("no BODY came");
    body += frame.payload;
    if (frame.last()) return body;
    std::string credit;
    proto::append_credit(credit, stream, static_cast<std::uint32_t>(frame.payload.size()));
    send(credit);
  }
}

void FakeWorker::respond_head(std::uint32_t stream, std::uint16_t status,
                              std::vector<std::pair<std::string, std::string>> fields) {
  std::vector<proto::Field> list;
  for (const auto& [name, value] : fields) list.push_back({0, name, value});
  std::string out;
  proto::append_response(out, stream, {status, {}, list});
  send(out);
}

void FakeWorker::respond(std::uint32_t stream, std::uint16_t status, std::string_view body,
                         std::vector<std::pair<std::string, std::string>> fields, std::uint64_t service_us) {
  std::vector<proto::Field> list;
  for (const auto& [name, value] : fields) list.push_back({0, name, value});
  std::string out;
  proto::append_response(out, stream, {status, {}, list});
  proto::append_data(out, stream, body);
  proto::append_end(out, stream, service_us);
  send(out);
}

void FakeWorker::start(std::uint32_t stream) {
  std::string out;
  proto::append_start(out, stream);
  send(out);
}

void FakeWorker::data(std::uint32_t stream, std::string_view bytes) {
  std::string out;
  proto::append_data(out, stream, bytes);
  send(out);
}

void FakeWorker::end(std::uint32_t stream, std::uint64_t service_us) {
  std::string out;
  proto::append_end(out, stream, service_us);
  send(out);
}

bool FakeWorker::is_closed_by_gateway() {
  char buffer[65536];
  while (wait_readable(channel_.get())) {
    if (::recv(channel_.get(), buffer, sizeof buffer, 0) <= 0) return true;
  }
  return false;
}

// --- the gateway ------------------------------------------------------------------------------------------

void GatewayProcess::require(bool holds, const char* what) {
  if (!holds) fail(std::string("missing: ") + what);
}

GatewayProcess::GatewayProcess(std::uint32_t gateways) {
  auto control = create_seqpacket_pair();
  auto access = create_seqpacket_pair();
  require(control.ok() && access.ok(), "socketpair");
  table_fd_ = UniqueFd(::memfd_create("table", MFD_CLOEXEC));
  require(::ftruncate(table_fd_.get(), sizeof(proto::SharedTable)) == 0, "ftruncate");
  void* memory = ::mmap(nullptr, sizeof(proto::SharedTable), PROT_READ | PROT_WRITE, MAP_SHARED, table_fd_.get(), 0);
  require(memory != MAP_FAILED, "mmap");
  table_ = static_cast<proto::SharedTable*>(memory);
  control_ = std::move(control.value().ours);
  access_ = std::move(access.value().ours);
  start(control.value().theirs.get());
  send(proto::GatewaySetup{0, gateways}, {access.value().theirs.get(), table_fd_.get()});
  open_listener();
  send(proto::Listener{0}, {listener_.get()});
  expect<proto::GatewayReady>();
}

void GatewayProcess::start(int control) {
  const char* program = std::getenv("ROWHOUSE_GATEWAY");
  if (program == nullptr) fail("ROWHOUSE_GATEWAY is not set");
  pid_ = ::fork();
  require(pid_ >= 0, "fork");
  if (pid_ == 0) {
    // dup2 clears close-on-exec; from 3 to 3 it would not.
    const int copy = ::fcntl(control, F_DUPFD, 100);
    if (::dup2(copy, proto::kControlFd) < 0) ::_exit(126);
    ::close(copy);
    ::execl(program, program, static_cast<char*>(nullptr));
    ::_exit(127);
  }
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
  send(begin);
  send(proto::AppRoute{options.app, proto::Host::cut(options.host), proto::Prefix::cut(options.prefix)});
  if (!options.static_prefix.empty()) {
    const UniqueFd root(::open(options.static_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    send(proto::AppStatic{options.app, proto::Prefix::cut(options.static_prefix)}, {root.get()});
  }
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

proto::AccessRecord GatewayProcess::next_record() {
  record_bytes_.resize(proto::kMaxAccessRecordBytes);
  require(wait_readable(access_.get()), "an access record");
  const ssize_t size = ::recv(access_.get(), record_bytes_.data(), record_bytes_.size(), 0);
  require(size > 0, "an access record");
  const auto record = proto::parse_access_record(as_bytes(std::string_view(record_bytes_).substr(0, static_cast<std::size_t>(size))));
  require(record.ok(), "an access record that can be parsed");
  return record.value();
}

}  // namespace rowhouse::test
