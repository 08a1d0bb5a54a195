#include "gateway/exchange.h"

#include <algorithm>

#include "gateway/app.h"
#include "gateway/caps.h"
#include "gateway/request_encoder.h"
#include "gateway/worker.h"

namespace rowhouse::gateway {
namespace {

using proto::AbortReason;
using proto::BodyPart;
using proto::Cause;

constexpr Refusal kWorkerGone{502, Cause::kWorkerGone, 0, AfterAnswer::kKeepAlive};
constexpr Refusal kBadResponse{502, Cause::kBadResponse, 0, AfterAnswer::kKeepAlive};
constexpr Refusal kAppFailed{500, Cause::kAppError, 0, AfterAnswer::kKeepAlive};
constexpr Refusal kTimeOver{504, Cause::kRequestTimeout, 0, AfterAnswer::kKeepAlive};
constexpr Refusal kQueueTimeOver{503, Cause::kQueueTimeout, 1, AfterAnswer::kKeepAlive};
constexpr Refusal kClientTooSlow{408, Cause::kClientTimeout, 0, AfterAnswer::kClose};
constexpr Refusal kBodyTooLarge{413, Cause::kTooLarge, 0, AfterAnswer::kClose};

// RFC 9110 6.4.1: these have no content, whatever the app sends.
bool is_bodyless_status(std::uint16_t status) {
  return status == 204 || status == 304;
}

}  // namespace

Exchange::Exchange(Workbench& bench, ExchangeClient& client)
    : bench_(bench),
      client_(client),
      queue_deadline_(bench.deadlines, [this] { on_queue_time_over(); }),
      kept_(bench, [this] { on_body_progress(); }, kBodyMemoryBytes) {}

void Exchange::reset() {
  request_.forget();
  tally_ = ExchangeTally{};
  tally_.at_ms = bench_.turn.wall_ms();
  tally_.head_at = bench_.turn.now();
  deaths_ = moves_ = 0;
  body_complete_ = false;
  replayable_ = true;
  starved_since_.reset();
  starved_ = {};
  responded_ = bodyless_ = has_length_ = tunnel_ = false;
  length_left_ = received_ = credited_ = 0;
  held_since_.reset();
  held_ = {};
  keeps_answer_ = false;
  unsent_ = 0;
  forget_answer();
}

void Exchange::release_buffers() {
  for (std::string* buffer : {&request_.block, &request_.path, &frame_}) {
    if (buffer->capacity() > kKeptBufferBytes) std::string().swap(*buffer);
  }
}

std::optional<Refusal> Exchange::begin(App& app, std::size_t prefix_bytes, const CheckedHead& head,
                                       const ClientAddress& address) {
  tally_.app = app.number();
  tally_.queued_at = bench_.turn.now();
  app_ = &app;
  body_complete_ = !request_.has_body();
  kept_.set_tenant(app.limits().owner);
  std::optional<Refusal> refusal;
  if (request_.content_length > app.limits().body_bytes) refusal = kBodyTooLarge;
  if (!refusal) {
    refusal = encode_request(frame_, bench_.encoder, request_, head, {app.number(), prefix_bytes}, address);
  }
  if (!refusal) refusal = app.admit();
  if (!refusal && wants_collecting()) {
    state_ = ExchangeState::kCollecting;
    starved_since_ = tally_.queued_at;
    app.collect(*this);
    client_.on_body_wanted();
    return std::nullopt;
  }
  if (!refusal) refusal = app.submit(*this);
  if (!refusal) return std::nullopt;
  tally_.status = refusal->status;
  leave(refusal->cause);
  return refusal;
}

void Exchange::on_queued(Instant deadline) {
  state_ = ExchangeState::kQueued;
  queue_deadline_.set(deadline);
}

void Exchange::on_queue_time_over() {
  app_->leave_queue(*this);
  refuse(kQueueTimeOver);
}

void Exchange::refuse_queued(const Refusal& refusal) {
  refuse(refusal);
}

void Exchange::dispatch(Worker& worker) {
  queue_deadline_.clear();
  state_ = ExchangeState::kRunning;
  tally_.sent_at = bench_.turn.now();
  worker_ = &worker;
  stream_ = &worker.open(frame_, *this, tally_.sent_at + app_->limits().request_time);
  if (!request_.has_body()) return;
  kept_sent_ = 0;
  starved_since_.reset();
  if (!body_complete_) starved_since_ = tally_.sent_at;
  send_kept();
  if (!body_complete_) client_.on_body_wanted();
}

// --- the response ----------------------------------------------------------------------------------------

void Exchange::on_response(const proto::ResponseHead& head) {
  forget_replay();
  const Result<CheckedResponse> checked = check_response(head);
  if (!checked.ok()) {
    stop_stream(AbortReason::kBadResponse);
    refuse(kBadResponse);
    return;
  }
  responded_ = true;
  tally_.status = head.status;
  bodyless_ = request_.is_head() || is_bodyless_status(head.status);
  has_length_ = checked.value().has_length && !bodyless_;
  length_left_ = checked.value().length;
  keeps_answer_ = app_->options().buffer_responses && !bodyless_;
  client_.on_response(head, checked.value());
}

// The time of a request does not pass in a tunnel; who uses it watches that it is used.
void Exchange::on_tunnel(const proto::ResponseHead& head) {
  forget_replay();
  const Status checked = check_tunnel(head);
  if (!checked.ok()) {
    stop_stream(AbortReason::kBadResponse);
    refuse(kBadResponse);
    return;
  }
  responded_ = tunnel_ = true;
  body_complete_ = false;
  tally_.status = head.status;
  stream_->deadline.clear();
  client_.on_tunnel(head);
}

void Exchange::on_abort(AbortReason reason) {
  stream_ = nullptr;
  fail(reason == AbortReason::kAppFailedBeforeHead ? kAppFailed : kBadResponse);
}

RunningRequest Exchange::running_request() const {
  return {tally_.at_ms, tally_.sent_at, request_.method, request_.path, request_.host, request_.id()};
}

void Exchange::on_lost(StreamLoss loss, StreamPhase phase) {
  stream_ = nullptr;
  const bool may_have_run = phase != StreamPhase::kOpened || request_.is_safe();
  if (loss == StreamLoss::kGone && may_have_run) {
    worker_->tell_running(running_request(), phase, ClientPresence::kWaiting);
  }
  if (responded_ || !may_move(loss, phase)) {
    fail(kWorkerGone);
    return;
  }
  state_ = ExchangeState::kQueued;
  worker_ = nullptr;
  starved_since_.reset();
  starved_ = {};
  tally_.queued_at = bench_.turn.now();
  if (const auto refusal = app_->submit_again(*this)) refuse(*refusal);
}

// A request that provably never ran may go to another worker: one that the worker declined or was never sent,
// and one without START whose method makes the worker say START before anything else.  One that may have run is
// repeated only where the app allows it (`retry: idempotent`).  After a death at most once.
bool Exchange::may_move(StreamLoss loss, StreamPhase phase) {
  if (!replayable_) return false;
  const bool never_started = phase == StreamPhase::kOpened;
  switch (loss) {
    case StreamLoss::kDrained:
    case StreamLoss::kUnsent:
      return never_started && ++moves_ <= kMaxMoves;
    case StreamLoss::kGone:
      return ((never_started && !request_.is_safe()) || keeps_replay()) && ++deaths_ <= 1;
  }
  return false;
}

// --- time ------------------------------------------------------------------------------------------------

// How long the worker has waited for the client.
Duration Exchange::client_time() const {
  const Instant now = bench_.turn.now();
  Duration held = held_;
  Duration starved = starved_;
  if (held_since_) held += now - *held_since_;
  if (starved_since_) starved += now - *starved_since_;
  return held + std::min<Duration>(starved, kMaxBodyWaitTime);
}

void Exchange::on_time_over() {
  const Instant end = tally_.sent_at + app_->limits().request_time + client_time();
  if (end > bench_.turn.now()) {
    stream_->deadline.set(end);
    return;
  }
  if (starved_since_) {
    stop_stream(AbortReason::kClientGone);  // the client keeps the worker waiting
    fail(kClientTooSlow);
    return;
  }
  worker_->tell_running(running_request(), stream_->phase, ClientPresence::kWaiting);
  worker_->report(proto::FaultKind::kRequestTimeout);
  stop_stream(AbortReason::kRequestTimeout);
  fail(kTimeOver);
}

// --- the end ---------------------------------------------------------------------------------------------

// The worker has the time of a request to close the stream; one that was over its time is already reported.
void Exchange::stop_stream(AbortReason reason) {
  if (reason == AbortReason::kRequestTimeout) {
    stream_->deadline.clear();
  } else {
    stream_->deadline.set(bench_.turn.now() + app_->limits().request_time);
  }
  worker_->channel().give_up(*stream_, reason, running_request());
  // Told already, and known to have been waited for.
  if (reason == AbortReason::kRequestTimeout) stream_->given_up.reset();
  stream_ = nullptr;
}

void Exchange::abandon() {
  if (state_ == ExchangeState::kCollecting) app_->leave_collecting(*this);
  if (state_ == ExchangeState::kQueued) app_->leave_queue(*this);
  if (state_ == ExchangeState::kRunning) stop_stream(AbortReason::kClientGone);
  if (app_ != nullptr) leave(Cause::kNone);
  state_ = ExchangeState::kIdle;
  forget_answer();
}

void Exchange::leave(Cause cause) {
  state_ = ExchangeState::kIdle;
  queue_deadline_.clear();
  tally_.ended_at = bench_.turn.now();
  tally_.cause = cause;
  drop_kept();
  worker_ = nullptr;
  App& app = *app_;
  app_ = nullptr;
  app.count(tally_);
}

void Exchange::refuse(const Refusal& refusal) {
  tally_.status = refusal.status;
  leave(refusal.cause);
  client_.on_refused(refusal);
}

void Exchange::fail(const Refusal& refusal) {
  if (responded_) {
    cut(refusal.cause);
  } else {
    refuse(refusal);
  }
}

}  // namespace rowhouse::gateway
