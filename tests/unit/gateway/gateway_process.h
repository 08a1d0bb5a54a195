// The real gateway program with a supervisor made of test code: starts it, tells it apps and workers, plays the
// other end of each channel, and speaks raw HTTP to it.  Everything waits with a deadline, nothing sleeps.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "proto/access_record.h"
#include "proto/frames.h"
#include "proto/gateway_messages.h"
#include "proto/heads.h"
#include "proto/shared_table.h"

namespace rowhouse::test {

inline constexpr int kPatienceMs = 10'000;

// True when `fd` becomes readable (or ends) in time.
bool wait_readable(int fd, int timeout_ms = kPatienceMs);

// --- a client ---------------------------------------------------------------------------------------------

struct HttpAnswer {
  int status = 0;
  std::string head;  // with the empty line
  std::string body;  // decoded
  bool complete = false;
  // The value of a field, or "" ; `name` in the letter case of the answer.
  [[nodiscard]] std::string field(std::string_view name) const;
};

class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  void send(std::string_view bytes);
  // Sends what fits without waiting; how much that was.
  std::size_t try_send(std::string_view bytes);
  void end_sending();
  void reset();
  // The next answer; incomplete when the connection ends before it does.
  HttpAnswer read_answer(std::string_view method = "GET");
  // At least `count` bytes as they come, fewer when the connection ends.
  std::string read_some(std::size_t count, int timeout_ms = kPatienceMs);
  // Everything until the connection ends.
  std::string read_to_end();
  // True when the connection ends in time, with nothing more to read.
  bool is_closed_by_gateway();
  [[nodiscard]] bool was_reset() const { return reset_; }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  bool fill(int timeout_ms);
  UniqueFd socket_;
  std::string input_;
  bool ended_ = false;
  bool reset_ = false;
};

// --- a worker ---------------------------------------------------------------------------------------------

struct OwnedFrame {
  proto::FrameType type{};
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;
  [[nodiscard]] bool last() const { return (flags & proto::kFlagLast) != 0; }
};

struct SeenRequest {
  std::uint32_t stream = 0;
  bool has_body = false;
  std::string payload;  // what `head` borrows from
  proto::FieldRoom room;
  proto::RequestHead head;
  [[nodiscard]] std::string field(std::string_view name) const;  // the first one, or "-"
};

class FakeWorker {
 public:
  enum class Greeting : std::uint8_t { kHello, kNone };
  explicit FakeWorker(UniqueFd channel, Greeting greeting = Greeting::kHello,
                      std::uint32_t window = proto::kStreamWindowBytes);

  void send(std::string_view frames);
  // The next frame; type 0 when the channel ends or nothing comes.
  OwnedFrame next(int timeout_ms = kPatienceMs);
  // The next frame, which must be a REQUEST; CREDIT frames before it are passed over.
  std::unique_ptr<SeenRequest> next_request(int timeout_ms = kPatienceMs);
  // The body of a stream up to its LAST frame, with credit given as it comes.
  std::string read_body(std::uint32_t stream);
  // START for unsafe methods is the caller's business.
  void respond(std::uint32_t stream, std::uint16_t status, std::string_view body,
               std::vector<std::pair<std::string, std::string>> fields = {}, std::uint64_t service_us = 50);
  void respond_head(std::uint32_t stream, std::uint16_t status,
                    std::vector<std::pair<std::string, std::string>> fields = {});
  void start(std::uint32_t stream);
  void data(std::uint32_t stream, std::string_view bytes);
  void end(std::uint32_t stream, std::uint64_t service_us = 50);
  // True when the gateway closes the channel in time.
  bool is_closed_by_gateway();
  // True when a frame other than HELLO has arrived.
  [[nodiscard]] bool has_frame();
  void close() { channel_.reset(); }
  [[nodiscard]] int fd() const { return channel_.get(); }

 private:
  std::optional<OwnedFrame> take_frame();
  bool fill(int timeout_ms);
  UniqueFd channel_;
  std::string input_;
};

// --- the gateway ------------------------------------------------------------------------------------------

struct AppOptions {
  std::uint32_t app = 7;
  std::string host = "a.example";
  std::string prefix;
  std::uint64_t body_bytes = 10 << 20;
  std::uint32_t request_ms = 5000;
  std::uint32_t queue_ms = 5000;
  std::uint32_t concurrency = 100;
  std::uint32_t queue = 100;
  std::string static_prefix;
  std::string static_directory;
};

class GatewayProcess {
 public:
  explicit GatewayProcess(std::uint32_t gateways = 1);
  ~GatewayProcess();
  GatewayProcess(const GatewayProcess&) = delete;
  GatewayProcess& operator=(const GatewayProcess&) = delete;

  void add_app(const AppOptions& options = {});
  // A worker of generation 1, with the switch to it.
  FakeWorker add_worker(std::uint32_t worker = 1, std::uint32_t threads = 1, std::uint32_t app = 7,
                        std::uint32_t generation = 1);
  void worker_gone(std::uint32_t worker = 1, std::uint32_t app = 7, std::uint32_t generation = 1);
  HttpClient connect() const { return HttpClient(port_); }

  template <typename M>
  void send(const M& message, std::initializer_list<int> descriptors = {}) {
    require(proto::send_control(control_.get(), message, descriptors).ok(), "send to the gateway");
  }
  template <typename M>
  M expect() {
    auto incoming = proto::wait_for_control(control_.get(), kPatienceMs);
    require(incoming.ok(), "a message from the gateway");
    auto message = proto::decode_message<M>(incoming.value());
    require(message.ok(), "the message that was expected");
    return std::move(message).value();
  }
  [[nodiscard]] bool has_message(int timeout_ms = 0) const { return wait_readable(control_.get(), timeout_ms); }
  // Everything that was sent before has been handled.
  void settle();
  proto::AccessRecord next_record();

  [[nodiscard]] proto::SharedTable& table() { return *table_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int control() const { return control_.get(); }
  void close_control() { control_.reset(); }
  // Waits for the end of the process; its exit status, or 256 + the signal, or -1 when it does not end.
  int wait_exit(int timeout_ms = kPatienceMs);

 private:
  static void require(bool holds, const char* what);
  void start(int control);
  void open_listener();

  UniqueFd control_, access_, listener_;
  proto::SharedTable* table_ = nullptr;
  UniqueFd table_fd_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::uint32_t revision_ = 0;
  std::uint32_t nonce_ = 0;
  std::string record_bytes_;
};

}  // namespace rowhouse::test
