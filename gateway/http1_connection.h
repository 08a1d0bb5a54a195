// One client connection that speaks HTTP/1.1: collects heads, feeds bodies to the exchange, writes answers,
// and decides whether the connection lives on.  One request at a time; pipelined ones wait in the input
// buffer.
//
//   kPreface --PROXY header--> kHead, on listeners that ask for one
//   kHead --head--> kExchange --answer complete--> kFlushing --written--> kHead
//                     \--disk must be asked--> kFile --opened--> kFlushing (or kExchange)
//                                                     |    \--body unread--> kDraining --> kHead
//                                                     +--must close--> kLingering --> kClosed
//   A few requests at most begin in a turn of the loop, however many are there.
//   From every state a broken connection or a deadline leads to kClosed.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "gateway/access_log.h"
#include "gateway/client_socket.h"
#include "gateway/compression.h"
#include "gateway/exchange.h"
#include "gateway/http1_request.h"
#include "gateway/http1_writer.h"
#include "gateway/listener.h"
#include "gateway/pacer.h"
#include "gateway/redirect.h"
#include "gateway/sites.h"
#include "gateway/static_answer.h"
#include "gateway/workbench.h"

namespace rowhouse::gateway {

class Http1Connection;

class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  // The connection is closed; it may be buried.
  virtual void on_connection_closed(Http1Connection& connection) = 0;
  // The client is another one than the one that was counted: may it come in?  Sets `address.counted`.
  [[nodiscard]] virtual bool admit(ClientAddress& address) = 0;
  // It sent what is no HTTP.
  virtual void on_fault(const ClientAddress& address) = 0;
};

struct ProxyRules {
  TrustedProxies trusted;
  ForwardedBy by = ForwardedBy::kXForwarded;
};

// What a connection works with beside the bench.
struct ConnectionPlace {
  Sites& sites;
  AccessLog& access_log;
  const ProxyRules& proxies;
  ConnectionListener& listener;
};

class Http1Connection final : public Mortal,
                              private ClientSocketListener,
                              private ExchangeClient,
                              private PacedWriter,
                              private BodySink,
                              private FileJobListener {
 public:
  Http1Connection(Workbench& bench, const ConnectionPlace& place, UniqueFd socket, ClientAddress address,
                  Preface preface);
  ~Http1Connection() override;

  // It answers what it has, or what comes within kRetiringIdleTime, says with it that this was the last, and ends.
  void retire();
  void set_index(std::size_t index) { index_ = index; }
  [[nodiscard]] const ClientAddress& address() const { return address_; }
  [[nodiscard]] std::size_t index() const { return index_; }

 private:
  enum class State : std::uint8_t { kPreface, kHead, kExchange, kFile, kFlushing, kDraining, kLingering, kClosed };
  enum class Outcome : std::uint8_t { kAnswered, kClientGone };

  // Bytes from the client.
  [[nodiscard]] bool may_have(TurnWork work);
  [[nodiscard]] bool may_read() override;
  [[nodiscard]] bool may_resume();
  void on_readable() override;
  void on_client_end();
  void use_input(std::string_view bytes);
  [[nodiscard]] std::size_t use(std::string_view bytes);
  [[nodiscard]] std::size_t use_preface(std::string_view bytes);
  [[nodiscard]] std::size_t use_head(std::string_view bytes);
  [[nodiscard]] std::size_t use_body(std::string_view bytes);
  [[nodiscard]] std::size_t use_tunnel(std::string_view bytes);
  void end_tunnel_input();
  [[nodiscard]] std::size_t use_unread(std::string_view bytes);
  void on_body(std::string_view bytes) override;
  void resume();
  void settle();
  [[nodiscard]] bool end_if_starved();

  // A request.
  void start_request(std::string_view block);
  void note_origin(const CheckedHead& head);
  void route(const CheckedHead& head);
  void follow(const SiteMatch& match, const CheckedHead& head);
  void serve_app(const CheckedHead& head);
  [[nodiscard]] std::optional<Refusal> join_tenant_of(const SiteMatch& match);
  void leave_tenant();
  void answer_redirect(const RedirectMatch& match, const CheckedHead& head);
  void answer_asterisk();

  // A static file.
  void serve_static(const StaticMatch& match, const CheckedHead& head);
  void open_later(const StaticOrder& order);
  void on_file_job(FileJob job) override;
  void on_opened_later(FileJob job);
  void answer_from_file(OpenedStatic opened, const StaticPrefix& place, const CheckedHead& head);
  void read_small_file();
  [[nodiscard]] bool has_file_left() const;
  ClientSocket::Flow flush_file();
  void start_next_part();
  [[nodiscard]] bool needs_warming() const;
  void warm();
  void forget_file();

  // Its answer.
  void on_response(const proto::ResponseHead& head, const CheckedResponse& checked) override;
  void on_tunnel(const proto::ResponseHead& head) override;
  void on_response_data(std::string_view bytes) override;
  void on_response_end() override;
  void on_response_cut() override;
  [[nodiscard]] CompressChoice choose_coding(const proto::ResponseHead& head, const CheckedResponse& checked);
  void flush_compressed();
  void on_refused(const Refusal& refusal) override;
  void on_body_wanted() override { resume_task_.schedule(); }
  void refuse(std::uint16_t status, proto::Cause cause);
  void prepare_own_answer();
  void finish_answer();

  // Writing.
  void on_writable() override;
  void on_turn_to_write() override { flush_task_.schedule(); }
  void flush();
  ClientSocket::Flow flush_paced();
  [[nodiscard]] bool is_paced() const;
  void on_answered();
  void start_next();
  void go_on_with_input();
  void end_after_answer();
  void record(Outcome outcome);

  // Time and the end.
  [[nodiscard]] std::optional<Instant> next_deadline();
  [[nodiscard]] std::optional<Instant> exchange_deadline();
  [[nodiscard]] Instant tunnel_deadline() const;
  void on_deadline();
  void on_exchange_deadline();
  void on_client_gone();
  void linger();
  void close();

  Workbench& bench_;
  ConnectionPlace place_;
  ClientAddress address_;
  std::size_t index_ = 0;
  Tenant* tenant_ = nullptr;  // whose site was asked for last; counts this connection
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

  std::unique_ptr<Compressor> compressor_;  // of this answer, if so
  std::string compressed_;
  bool compressing_ = false;  // it holds bytes that the client has not got

  std::uint32_t requests_ = 0;
  std::uint64_t request_turn_ = 0;  // in which the last one began ...
  std::uint32_t turn_requests_ = 0;  // ... and how many in it
  AfterAnswer after_ = AfterAnswer::kKeepAlive;
  bool retiring_ = false;
  Instant retired_at_{};
  bool client_ended_ = false;       // it sends no more
  bool continue_due_ = false;       // Expect: 100-continue, not yet answered
  bool answering_ = false;          // a head has been written
  bool tunnel_ = false;             // what the client sends now is another protocol's
  bool tunnel_input_ended_ = false;
  bool cut_ = false;                // the answer must look broken
  bool blocked_ = false;            // the client takes no more at the moment
  std::uint64_t unread_bytes_ = 0;  // thrown away while draining or lingering
  UniqueFd file_;                   // in the job's hands while warming_
  std::uint32_t file_tenant_ = 0;
  std::uint64_t file_offset_ = 0;
  std::uint64_t file_left_ = 0;     // of this part
  std::vector<FilePart> parts_;     // of several ranges
  std::size_t next_part_ = 0;
  std::string after_parts_;
  std::uint64_t warm_until_ = 0;    // the file up to here has just been read
  bool warming_ = false;            // the pool reads the next bytes
  Instant state_at_{};  // when this state began; in kHead: the first byte of the head, or the end of the last
                        // answer
  Instant read_at_{};   // the last bytes of a body
  Instant write_at_{};  // the last progress of the output, or its first byte
};

}  // namespace rowhouse::gateway
