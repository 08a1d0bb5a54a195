// The real gateway program with a supervisor made of test code: starts it, tells it apps and workers, plays
// the other end of each channel, and speaks raw HTTP to it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/unique_fd.h"
#include "fake_worker.h"
#include "http_client.h"
#include "proto/access_record.h"
#include "proto/running_record.h"
#include "proto/gateway_messages.h"
#include "proto/shared_table.h"

namespace rowhouse::test {

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
  proto::RetryPolicy retry = proto::RetryPolicy::kUnstarted;
  std::uint32_t connections = 0;  // of the tenant; 0: no limit
  std::uint64_t bytes_out = 0;
  bool buffer_responses = false;
  bool buffering = false;  // most tests look at how bodies flow
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
    // Said whenever requests wait without a worker, which tests of other things do, too.
    while (incoming.ok() && incoming.value().type == proto::MessageType::kAppWanted && !std::is_same_v<M, proto::AppWanted>) {
      ++wanted_;
      incoming = proto::wait_for_control(control_.get(), kPatienceMs);
    }
    require(incoming.ok(), "a message from the gateway");
    auto message = proto::decode_message<M>(incoming.value());
    require(message.ok(), "the message that was expected");
    return std::move(message).value();
  }
  [[nodiscard]] bool has_message(int timeout_ms = 0) const {
    return wait_readable(control_.get(), timeout_ms);
  }
  // How many AppWanted were passed over.
  [[nodiscard]] int wanted() const { return wanted_; }
  // Everything that was sent before has been handled.
  void settle();
  // The next access record; running records are passed over.
  proto::AccessRecord next_record();
  // The next running record; access records are passed over.
  proto::RunningRecord next_running();

  [[nodiscard]] proto::SharedTable& table() { return *table_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Of the gateway; 0 when we may not look.
  [[nodiscard]] std::size_t open_descriptors() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int control() const { return control_.get(); }
  void close_control() { control_.reset(); }
  // Waits for the end of the process; its exit status, or 256 + the signal, or -1 when it does not end.
  int wait_exit(int timeout_ms = kPatienceMs);

 private:
  int wanted_ = 0;
  static void require(bool holds, const char* what);
  void start(int control);
  void open_listener();
  std::string_view next_record_bytes();

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
