// One client connection that speaks HTTP/1.1: collects heads, feeds bodies to the exchange, writes answers,
// and decides whether the connection lives on.  One request at a time; pipelined ones wait in the input
// buffer.
//
//   kHead --head--> kExchange --answer complete--> kFlushing --written--> kHead
//                                                     |    \--body unread--> kDraining --> kHead
//                                                     +--must close--> kLingering --> kClosed
//   From every state a broken connection or a deadline leads to kClosed.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "gateway/access_log.h"
#include "gateway/client_socket.h"
#include "gateway/exchange.h"
#include "gateway/http1_request.h"
#include "gateway/http1_writer.h"
#include "gateway/sites.h"
#include "gateway/workbench.h"

namespace rowhouse::gateway {

class Http1Connection;

class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  // The connection is closed; it may be buried.
  virtual void on_connection_closed(Http1Connection& connection) = 0;
};

// What a connection works with beside the bench.
struct ConnectionPlace {
  Sites& sites;
  AccessLog& access_log;
  ConnectionListener& listener;
};

class Http1Connection final : public Mortal,
                              private ClientSocketListener,
                              private ExchangeClient,
                              private BodySink {
 public:
  Http1Connection(Workbench& bench, const ConnectionPlace& place, UniqueFd socket, ClientAddress address);
  ~Http1Connection() override;

  // It answers what it has, or what comes within kRetiringIdleTime, says with it that this was the last, and ends.
  void retire();
  void set_index(std::size_t index) { index_ = index; }
  [[nodiscard]] const ClientAddress& address() const { return address_; }
  [[nodiscard]] std::size_t index() const { return index_; }

 private:
  enum class State : std::uint8_t { kHead, kExchange, kFlushing, kDraining, kLingering, kClosed };
  enum class Outcome : std::uint8_t { kAnswered, kClientGone };

  // Bytes from the client.
  void on_readable() override;
  void on_client_end();
  void use_input(std::string_view bytes);
  [[nodiscard]] std::size_t use(std::string_view bytes);
  [[nodiscard]] std::size_t use_head(std::string_view bytes);
  [[nodiscard]] std::size_t use_body(std::string_view bytes);
  [[nodiscard]] std::size_t use_unread(std::string_view bytes);
  void on_body(std::string_view bytes) override;
  void resume();
  void settle();
  [[nodiscard]] bool end_if_starved();

  // A request.
  void start_request(std::string_view block);
  void route(const CheckedHead& head);
  void serve_static(const StaticMatch& match, const CheckedHead& head);
  void read_small_file();
  void answer_asterisk();

  // Its answer.
  void on_response(const proto::ResponseHead& head, const CheckedResponse& checked) override;
  void on_response_data(std::string_view bytes) override;
  void on_response_end() override;
  void on_response_cut() override;
  void on_refused(const Refusal& refusal) override;
  void on_body_wanted() override { resume_task_.schedule(); }
  void refuse(std::uint16_t status, proto::Cause cause);
  void prepare_own_answer();
  void finish_answer();

  // Writing.
  void on_writable() override;
  void flush();
  void on_answered();
  void start_next();
  void end_after_answer();
  void record(Outcome outcome);

  // Time and the end.
  [[nodiscard]] std::optional<Instant> next_deadline();
  [[nodiscard]] std::optional<Instant> exchange_deadline();
  void on_deadline();
  void on_exchange_deadline();
  void on_client_gone();
  void linger();
  void close();

  Workbench& bench_;
  ConnectionPlace place_;
  const ClientAddress address_;
  std::size_t index_ = 0;
  State state_ = State::kHead;
  ClientSocket socket_;
  ByteQueue input_;
  std::size_t head_checked_ = 0;  // of the input: find_head_end looked so far
  Http1Request parser_;
  Exchange exchange_;
  Http1Writer writer_;
  TurnTask resume_task_;
  TurnTask flush_task_;
  Deadline deadline_;

  std::uint32_t requests_ = 0;
  AfterAnswer after_ = AfterAnswer::kKeepAlive;
  bool retiring_ = false;
  Instant retired_at_{};
  bool client_ended_ = false;       // it sends no more
  bool continue_due_ = false;       // Expect: 100-continue, not yet answered
  bool answering_ = false;          // a head has been written
  bool cut_ = false;                // the answer must look broken
  bool blocked_ = false;            // the client takes no more at the moment
  std::uint64_t unread_bytes_ = 0;  // thrown away while draining or lingering
  UniqueFd file_;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_left_ = 0;
  Instant state_at_{};  // when this state began; in kHead: the first byte of the head, or the end of the last
                        // answer
  Instant read_at_{};   // the last bytes of a body
  Instant write_at_{};  // the last progress of the output, or its first byte
};

}  // namespace rowhouse::gateway
