// An HTTP/1.1 connection's answers: from the worker, of the gateway's own, and on their way to the client.
#include <algorithm>

#include "gateway/app.h"
#include "gateway/caps.h"
#include "gateway/error_answer.h"
#include "gateway/http1_connection.h"
#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

using proto::Cause;
using Flow = ClientSocket::Flow;

constexpr std::uint32_t kRequestsPerTurn = 4;  // of one connection; a look at the events costs as much as a small answer

std::uint32_t us_between(Instant from, Instant to) {
  if (from == Instant{} || to <= from) return 0;
  return static_cast<std::uint32_t>(std::min<std::int64_t>((to - from).count(), 0xffff'ffff));
}

}  // namespace

// --- its answer ------------------------------------------------------------------------------------------

void Http1Connection::on_response(const proto::ResponseHead& head, const CheckedResponse& from_app) {
  const Request& request = exchange_.request();
  CheckedResponse checked = from_app;
  const CompressChoice choice = choose_coding(head, checked);
  if (choice.coding != Coding::kIdentity) {
    checked.has_length = false;
    if (!request.is_head()) compressor_ = Compressor::create(choice.coding);
  }
  if (continue_due_ || choose_framing(request, head.status, checked) == ResponseFraming::kClose) {
    after_ = AfterAnswer::kClose;
  }
  continue_due_ = false;
  answering_ = true;
  writer_.append_head(head, checked, request, {bench_.turn.date(), after_, choice});
  flush_task_.schedule();
}

// The head has to be read again for it: few apps ask for compression, and they get what they pay for.
CompressChoice Http1Connection::choose_coding(const proto::ResponseHead& head,
                                              const CheckedResponse& checked) {
  const App* app = exchange_.app();
  if (app == nullptr || !app->options().compress.enabled) return {};
  const auto parsed = check_head(exchange_.request().block, bench_.head_fields);
  const auto* request = std::get_if<CheckedHead>(&parsed);
  if (request == nullptr) return {};
  const bool has_cookie =
      std::any_of(request->fields.begin(), request->fields.end(),
                  [](const HeadField& field) { return equals_lower(field.name, "cookie"); });
  return choose_compression(app->options().compress, {accepted_encodings(request->fields), has_cookie}, head,
                            checked);
}

void Http1Connection::on_response_data(std::string_view bytes) {
  if (compressor_ != nullptr) {
    compressed_.clear();
    compressor_->append(bytes, compressed_);
    compressing_ = true;
    bytes = compressed_;
  }
  writer_.append_data(bytes);
  flush_task_.schedule();
}

// What the app has said by now reaches the client in this turn, compressed or not.
void Http1Connection::flush_compressed() {
  compressing_ = false;
  compressed_.clear();
  compressor_->flush(compressed_);
  writer_.append_data(compressed_);
}

void Http1Connection::on_response_end() {
  if (compressor_ != nullptr) {
    compressed_.clear();
    compressor_->finish(compressed_);
    writer_.append_data(compressed_);
    compressor_.reset();
    compressing_ = false;
  }
  writer_.append_end();
  finish_answer();
}

void Http1Connection::on_response_cut() {
  cut_ = true;
  compressor_.reset();
  compressing_ = false;
  finish_answer();
}

void Http1Connection::refuse(std::uint16_t status, Cause cause) {
  // After these the client and we may not agree on where the next request begins.
  const bool unsure = status == 400 || status == 408 || status == 413 || status == 414 || status == 417 ||
                      status == 431 || status == 501 || status == 505;
  const bool connect = status == 405 && cause == Cause::kBadRequest;
  on_refused({status, cause, 0, unsure || connect ? AfterAnswer::kClose : AfterAnswer::kKeepAlive});
}

void Http1Connection::on_refused(const Refusal& refusal) {
  prepare_own_answer();
  if (refusal.after == AfterAnswer::kClose) after_ = AfterAnswer::kClose;
  const Request& request = exchange_.request();
  ExchangeTally& tally = exchange_.tally();
  tally.status = refusal.status;
  tally.cause = refusal.cause;
  tally.error_id = next_error_id();
  ErrorAnswer answer;
  answer.status = refusal.status;
  answer.cause = refusal.cause;
  answer.error_id = tally.error_id;
  answer.retry_after_s = refusal.retry_after_s;
  answer.close = after_ == AfterAnswer::kClose;
  answer.head_only = request.is_head();
  answer.json = prefers_json(request.accept);
  answer.date = bench_.turn.date();
  // Nothing of a suspended tenant is shown, its pages included.
  const bool own_page = tally.app != 0 && !answer.json && refusal.cause != Cause::kSuspended;
  if (own_page) answer.page = place_.sites.page(tally.app, refusal.status);
  if (refusal.status == 400 && refusal.cause == Cause::kBadRequest) place_.listener.on_fault(address_);
  append_error_answer(socket_.output().tail(), answer);
  finish_answer();
}

// Before an answer of the gateway's own, with the request's body not read: the connection is kept only if the
// body is known to be short and the client does not wait before sending it.
void Http1Connection::prepare_own_answer() {
  if (continue_due_ || parser_.length_left().value_or(0) > kMaxDrainBytes) after_ = AfterAnswer::kClose;
  continue_due_ = false;
  answering_ = true;
}

void Http1Connection::finish_answer() {
  state_ = State::kFlushing;
  if (!blocked_) write_at_ = bench_.turn.now();
  flush_task_.schedule();
}

// --- writing ---------------------------------------------------------------------------------------------

void Http1Connection::on_writable() {
  bench_.turn.refresh();
  flush_task_.schedule();
}

void Http1Connection::flush() {
  if (state_ == State::kClosed || state_ == State::kLingering || warming_) return;
  const std::uint64_t before = socket_.output().size() + file_left_;
  if (compressing_) flush_compressed();
  const Flow flow = flush_paced();
  if (flow == Flow::kBroken) {
    on_client_gone();
    return;
  }
  const std::uint64_t unsent = socket_.output().size() + file_left_;
  if (unsent != before || !blocked_) write_at_ = bench_.turn.now();
  if (unsent != before) writer_.on_output_taken();
  blocked_ = flow == Flow::kBlocked;
  exchange_.note_unsent(socket_.output().size());
  // What was kept may have followed just now.
  if (flow == Flow::kDone && state_ == State::kFlushing && socket_.output().empty()) on_answered();
  settle();
}

void Http1Connection::on_answered() {
  record(Outcome::kAnswered);
  if (file_.valid()) forget_file();
  if (cut_ || after_ == AfterAnswer::kClose) {
    end_after_answer();
    return;
  }
  switch (parser_.body()) {
    case Http1Request::Body::kComplete: start_next(); return;
    case Http1Request::Body::kRefused: linger(); return;
    case Http1Request::Body::kMore: break;
  }
  if (parser_.length_left().value_or(0) > kMaxDrainBytes) {
    linger();
    return;
  }
  state_ = State::kDraining;
  state_at_ = bench_.turn.now();
  unread_bytes_ = 0;
  go_on_with_input();
}

// Also when the process leaves: this answer promised another one, which will say that it is the last.
void Http1Connection::start_next() {
  state_ = State::kHead;
  state_at_ = bench_.turn.now();
  head_checked_ = 0;
  answering_ = false;
  socket_.output().release(kKeptBufferBytes);
  input_.release(kKeptBufferBytes);
  exchange_.release_buffers();
  go_on_with_input();
}

// So that what a client sent ahead keeps nobody waiting.
void Http1Connection::go_on_with_input() {
  if (input_.empty()) return;
  if (request_turn_ == bench_.turn.number() && turn_requests_ >= kRequestsPerTurn) {
    resume_task_.schedule_next_turn();
  } else {
    resume_task_.schedule();
  }
}

void Http1Connection::end_after_answer() {
  if (cut_ && writer_.framing() == ResponseFraming::kClose) {
    // A clean end would look like a complete answer.
    socket_.reset();
    close();
  } else if (client_ended_ || (parser_.body() == Http1Request::Body::kComplete && input_.empty())) {
    close();
  } else {
    linger();
  }
}

void Http1Connection::record(Outcome outcome) {
  const Instant now = bench_.turn.now();
  const ExchangeTally& tally = exchange_.tally();
  const Request& request = exchange_.request();
  const Instant sent_at = tally.sent_at != Instant{} ? tally.sent_at : tally.ended_at;
  proto::AccessRecord record;
  record.app = tally.app;
  record.status = tally.status;
  record.cause = tally.cause;
  record.client_aborted = outcome == Outcome::kClientGone;
  record.at_ms = tally.at_ms;
  record.bytes_in = tally.bytes_in;
  record.bytes_out = tally.bytes_out;
  record.gateway_us = us_between(tally.head_at, tally.queued_at);
  record.queue_us = us_between(tally.queued_at, sent_at);
  record.app_us = us_between(tally.sent_at, tally.ended_at);
  record.total_us = us_between(tally.head_at, now);
  record.cpu_us = tally.cpu_us;
  record.gil_wait_us = tally.gil_wait_us;
  record.error_id = tally.error_id;
  record.method = request.method;
  record.target = request.target;
  record.host = request.authority;
  record.remote_address =
      request.client_text.empty() ? std::string_view(address_.remote) : request.client_text;
  record.referer = request.referer;
  record.user_agent = request.user_agent;
  record.request_id = request.id();
  record.version = request.version;
  if (tally.app != 0) record.format = place_.sites.access_format(tally.app);
  place_.sites.count(tally, record);
  place_.access_log.record(record);
}

}  // namespace rowhouse::gateway
