// One request from its head to the last byte of its answer, in whatever version of HTTP it came: waiting for
// a worker, its stream on a channel, credit both ways, moving to another worker, and what the access record
// tells. The protocol's side (connection.h) is told what to answer through ExchangeClient.  Reused for the
// next request.
//
//   kIdle --begin--> kCollecting --whole body--> kQueued --dispatch--> kRunning --END, ABORT, loss--> kIdle
//      '--- no body, or `buffering: off` ----------^  ^------ the worker never ran it ------'
//   kRunning --END, ABORT, loss, while the client has not taken everything--> kDelivering --all taken--> kIdle
//   From every state abandon() leads to kIdle.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/body_store.h"
#include "gateway/deadlines.h"
#include "gateway/exchange_queue.h"
#include "gateway/refusal.h"
#include "gateway/request.h"
#include "gateway/response_rules.h"
#include "gateway/stream.h"
#include "gateway/workbench.h"
#include "proto/access_record.h"

namespace rowhouse::gateway {

class App;
class Worker;

// Exactly one of on_response_end, on_response_cut and on_refused comes last, unless the exchange is
// abandoned.
class ExchangeClient {
 public:
  virtual ~ExchangeClient() = default;
  virtual void on_response(const proto::ResponseHead& head, const CheckedResponse& checked) = 0;
  // In the place of on_response: the connection becomes a tunnel.  send_body() sends what the client sends,
  // on_response_data() is for the client as it is, and on_response_end() asks to close.
  virtual void on_tunnel(const proto::ResponseHead& head) = 0;
  virtual void on_response_data(std::string_view bytes) = 0;
  virtual void on_response_end() = 0;
  // The answer cannot be completed, and the client must be able to see that.
  virtual void on_response_cut() = 0;
  // No answer has begun; this one is to be given.
  virtual void on_refused(const Refusal& refusal) = 0;
  // Request body can be sent: body_room() may have become positive.
  virtual void on_body_wanted() = 0;
};

enum class ExchangeState : std::uint8_t { kIdle, kCollecting, kQueued, kRunning, kDelivering };

// What is told about a request when it is over.
struct ExchangeTally {
  std::uint32_t app = 0;
  std::uint16_t status = 0;
  proto::Cause cause = proto::Cause::kNone;
  std::int64_t at_ms = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t error_id = 0;
  std::uint32_t cpu_us = proto::kUnknownUs;       // the worker's word, as in proto::AccessRecord
  std::uint32_t gil_wait_us = proto::kUnknownUs;  // likewise
  Instant head_at{};    // the head was complete
  Instant queued_at{};  // submitted to the app
  Instant sent_at{};    // sent to a worker, the last time
  Instant ended_at{};   // END, ABORT or loss
};

class Exchange final : private StreamListener {
 public:
  Exchange(Workbench& bench, ExchangeClient& client);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  [[nodiscard]] ExchangeState state() const { return state_; }
  [[nodiscard]] Request& request() { return request_; }
  [[nodiscard]] const Request& request() const { return request_; }
  [[nodiscard]] ExchangeTally& tally() { return tally_; }
  // Null while no app has the request.
  [[nodiscard]] const App* app() const { return app_; }

  // A new head has arrived; forgets the last request.
  void reset();
  // Between requests: gives back memory that a large request needed.
  void release_buffers();
  // Gives the request to the app.  Refusals are returned, not told to the client object.
  [[nodiscard]] std::optional<Refusal> begin(App& app, std::size_t prefix_bytes, const CheckedHead& head,
                                             const ClientAddress& address);

  // How much request body may be given to send_body() now.
  [[nodiscard]] std::size_t body_room();
  // REQUIRES: bytes.size() <= body_room().  Nothing happens when the exchange is over.
  void send_body(std::string_view bytes, proto::BodyPart part);
  // When the client has kept the worker waiting too long for what it sent; nothing while nobody waits for it.
  [[nodiscard]] std::optional<Instant> body_due_at() const;
  // The client has `unsent` bytes of the answer still before it: what it took, or what is kept in its place, becomes
  // the worker's credit.
  void note_unsent(std::size_t unsent);
  // The client has gone or broke the rules: nobody waits for the answer.
  void abandon();

  // --- for the app ---
  [[nodiscard]] QueueLinks& queue_links() { return queue_links_; }
  void on_queued(Instant deadline);
  void dispatch(Worker& worker);
  // The app refuses while the request waits.
  void refuse_queued(const Refusal& refusal);

 private:
  void on_started() override;
  void on_response(const proto::ResponseHead& head) override;
  void on_tunnel(const proto::ResponseHead& head) override;
  void on_data(std::string_view bytes) override;
  void on_end(const proto::End& end) override;
  void on_abort(proto::AbortReason reason) override;
  void on_lost(StreamLoss loss, StreamPhase phase) override;
  void on_body_room() override;
  void on_credit() override;
  void on_time_over() override;

  void on_queue_time_over();
  [[nodiscard]] bool wants_collecting() const;
  void collect(std::string_view bytes);
  void stop_collecting();
  void on_body_progress();
  void send_kept();
  void forget_replay();
  void drop_kept();
  // The answer's body (exchange_answer.cc).
  enum class AnswerEnd : std::uint8_t { kWhole, kCut };
  void deliver(std::string_view bytes);
  void pass_kept_on();
  void credit_worker();
  void on_answer_progress();
  void note_costs(const proto::End& end);
  void end_answer(AnswerEnd end);
  void tell_end(AnswerEnd end);
  void forget_answer();
  [[nodiscard]] bool has_kept_answer() const { return answer_ != nullptr && !answer_->empty(); }
  [[nodiscard]] bool answer_takes_more() const;
  void hold_response();
  [[nodiscard]] Duration client_time() const;
  [[nodiscard]] RunningRequest running_request() const;
  void stop_stream(proto::AbortReason reason);
  void leave(proto::Cause cause);
  void refuse(const Refusal& refusal);
  // Cuts the answer, or refuses when none has begun.
  void fail(const Refusal& refusal);
  void cut(proto::Cause cause);
  // Whether the body is kept although the app has begun: the request may run twice.
  [[nodiscard]] bool keeps_replay() const;
  [[nodiscard]] bool may_move(StreamLoss loss, StreamPhase phase);

  Workbench& bench_;
  ExchangeClient& client_;
  ExchangeState state_ = ExchangeState::kIdle;
  Request request_;
  std::string frame_;  // REQUEST, kept until the exchange is over: it may go to another worker
  ExchangeTally tally_;

  App* app_ = nullptr;
  QueueLinks queue_links_;
  Deadline queue_deadline_;
  Worker* worker_ = nullptr;  // kRunning
  Stream* stream_ = nullptr;  // kRunning
  std::uint32_t deaths_ = 0;
  std::uint32_t moves_ = 0;

  // Request body.
  bool body_complete_ = false;  // all of it was given to send_body
  bool replayable_ = false;     // kept_ is all that was given
  BodyStore kept_;
  std::uint64_t kept_sent_ = 0;           // of kept_, on the present stream
  std::optional<Instant> starved_since_;  // the worker may read and the client sends nothing
  Duration starved_{};

  bool tunnel_ = false;

  // Response body.
  bool responded_ = false;
  bool bodyless_ = false;  // HEAD, 204, 304: DATA is dropped
  bool has_length_ = false;
  std::uint64_t length_left_ = 0;
  std::uint64_t received_ = 0;  // DATA
  std::uint64_t credited_ = 0;
  bool keeps_answer_ = false;            // a slow client does not hold its worker back
  std::size_t unsent_ = 0;               // before the client, as far as is known
  std::unique_ptr<BodyStore> answer_;    // what follows that; made for the first client that needs it
  std::uint64_t answer_sent_ = 0;        // of answer_
  std::optional<AnswerEnd> answer_end_;  // kDelivering
  std::optional<Instant> held_since_;  // the worker has no credit because the client does not read
  Duration held_{};
};

}  // namespace rowhouse::gateway
