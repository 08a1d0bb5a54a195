// The second half of an answer's way: writing, what follows it, deadlines and the ways a connection ends.
#include <algorithm>

#include "gateway/http1_connection.h"
#include "gateway/caps.h"

namespace rowhouse::gateway {
namespace {

using proto::Cause;
using Flow = ClientSocket::Flow;

std::uint32_t us_between(Instant from, Instant to) {
  if (from == Instant{} || to <= from) return 0;
  return static_cast<std::uint32_t>(std::min<std::int64_t>((to - from).count(), 0xffff'ffff));
}

}  // namespace

// --- writing ---------------------------------------------------------------------------------------------

void Http1Connection::on_writable() {
  bench_.turn.refresh();
  flush_task_.schedule();
}

void Http1Connection::flush() {
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  const std::uint64_t before = socket_.output().size() + file_left_;
  Flow flow = socket_.flush();
  if (flow == Flow::kDone && file_left_ > 0) flow = socket_.send_file(file_.get(), file_offset_, file_left_);
  if (flow == Flow::kBroken) {
    on_client_gone();
    return;
  }
  const std::uint64_t unsent = socket_.output().size() + file_left_;
  if (unsent != before || !blocked_) write_at_ = bench_.turn.now();
  blocked_ = flow == Flow::kBlocked;
  exchange_.note_unsent(socket_.output().size());
  if (flow == Flow::kDone && state_ == State::kFlushing) on_answered();
  settle();
}

void Http1Connection::on_answered() {
  record(Outcome::kAnswered);
  file_.reset();
  if (cut_ || after_ == AfterAnswer::kClose || retiring_) {
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
  if (!input_.empty()) resume_task_.schedule();
}

void Http1Connection::start_next() {
  state_ = State::kHead;
  state_at_ = bench_.turn.now();
  head_checked_ = 0;
  answering_ = false;
  socket_.output().release(kKeptBufferBytes);
  input_.release(kKeptBufferBytes);
  exchange_.release_buffers();
  if (!input_.empty()) resume_task_.schedule();
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
  record.error_id = tally.error_id;
  record.method = request.method;
  record.target = request.target;
  record.host = request.authority;
  record.remote_address = address_.remote;
  record.referer = request.referer;
  record.user_agent = request.user_agent;
  record.request_id = request.id();
  record.version = request.version;
  place_.access_log.record(record);
}

// --- time and the end ------------------------------------------------------------------------------------

std::optional<Instant> Http1Connection::next_deadline() {
  switch (state_) {
    case State::kHead:
      return state_at_ + (requests_ == 0 || !input_.empty() ? kHeadTime : kIdleTime);
    case State::kExchange: return exchange_deadline();
    case State::kFlushing: return write_at_ + kWriteIdleTime;
    case State::kDraining: return state_at_ + kBodyIdleTime;
    case State::kLingering: return state_at_ + kLingerTime;
    case State::kClosed: break;
  }
  return std::nullopt;
}

// The client owes us something in at most two ways: it must take output, or send its body, or say whether it is
// still there.  Waiting for the worker has its deadlines in the exchange.
std::optional<Instant> Http1Connection::exchange_deadline() {
  if (blocked_) return write_at_ + kWriteIdleTime;
  if (client_ended_ && !answering_) return state_at_ + kHalfCloseTime;
  const bool owes_body = parser_.body() == Http1Request::Body::kMore && input_.empty() && exchange_.body_room() > 0;
  if (owes_body) return read_at_ + kBodyIdleTime;
  return std::nullopt;
}

void Http1Connection::on_deadline() {
  bench_.turn.refresh();
  switch (state_) {
    case State::kHead:
      if (input_.empty()) {
        close();
        return;
      }
      exchange_.reset();
      refuse(408, Cause::kClientTimeout);
      break;
    case State::kExchange: on_exchange_deadline(); break;
    case State::kFlushing:
      socket_.reset();
      on_client_gone();
      return;
    case State::kDraining: linger(); break;
    case State::kLingering: close(); return;
    case State::kClosed: return;
  }
  settle();
}

void Http1Connection::on_exchange_deadline() {
  if (blocked_) {
    socket_.reset();
    on_client_gone();
  } else if (client_ended_ && !answering_) {
    on_client_gone();
  } else {
    exchange_.abandon();
    exchange_.tally().cause = Cause::kClientTimeout;
    if (answering_) {
      on_response_cut();
    } else {
      refuse(408, Cause::kClientTimeout);
    }
  }
}

void Http1Connection::on_client_gone() {
  if (state_ == State::kExchange || state_ == State::kFlushing) {
    exchange_.abandon();
    record(Outcome::kClientGone);
  }
  close();
}

// Closing at once would reset the connection while the client still sends, and it might lose our answer
// (RFC 9112 9.6).
void Http1Connection::linger() {
  state_ = State::kLingering;
  state_at_ = bench_.turn.now();
  unread_bytes_ = 0;
  socket_.shut_writing();
  input_.clear();
}

void Http1Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  socket_.close();
  deadline_.clear();
  place_.listener.on_connection_closed(*this);
}

}  // namespace rowhouse::gateway
