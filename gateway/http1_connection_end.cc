// An HTTP/1.1 connection's deadlines, and the ways it ends.
#include <algorithm>

#include "gateway/caps.h"
#include "gateway/http1_connection.h"

namespace rowhouse::gateway {

using proto::Cause;

std::optional<Instant> Http1Connection::next_deadline() {
  switch (state_) {
    case State::kPreface:
      return state_at_ + kPrefaceTime;
    case State::kHead:
      if (retiring_ && input_.empty()) return std::max(state_at_, retired_at_) + kRetiringIdleTime;
      return state_at_ + (requests_ == 0 || !input_.empty() ? kHeadTime : kIdleTime);
    case State::kExchange:
      return exchange_deadline();
    case State::kFile:
      return state_at_ + kFileTime;
    case State::kFlushing:
      if (is_paced()) break;  // it is not the client that waits
      return write_at_ + kWriteIdleTime;
    case State::kDraining:
      return state_at_ + kBodyIdleTime;
    case State::kLingering:
      return state_at_ + kLingerTime;
    case State::kClosed:
      break;
  }
  return std::nullopt;
}

// The client owes us something in at most two ways: it must take output, or send its body, or say whether it
// is still there.  Waiting for the worker has its deadlines in the exchange.
std::optional<Instant> Http1Connection::exchange_deadline() {
  if (blocked_) return write_at_ + kWriteIdleTime;
  if (tunnel_) return tunnel_deadline();
  if (client_ended_ && !answering_) return state_at_ + kHalfCloseTime;
  const bool owes_body =
      parser_.body() == Http1Request::Body::kMore && input_.empty() && exchange_.body_room() > 0;
  if (owes_body) return std::min(read_at_ + kBodyIdleTime, exchange_.body_due_at().value_or(Instant::max()));
  return std::nullopt;
}

void Http1Connection::on_deadline() {
  bench_.turn.refresh();
  switch (state_) {
    case State::kPreface:
      close();
      return;
    case State::kHead:
      if (input_.empty()) {
        close();
        return;
      }
      exchange_.reset();
      refuse(408, Cause::kClientTimeout);
      break;
    case State::kExchange:
      on_exchange_deadline();
      break;
    case State::kFile:
      bench_.file_jobs.forget(*this);
      state_ = State::kExchange;
      refuse(503, Cause::kNone);
      break;
    case State::kFlushing:
      socket_.reset();
      on_client_gone();
      return;
    case State::kDraining:
      linger();
      break;
    case State::kLingering:
      close();
      return;
    case State::kClosed:
      return;
  }
  settle();
}

void Http1Connection::on_exchange_deadline() {
  if (blocked_) {
    socket_.reset();
    on_client_gone();
  } else if (tunnel_ || (client_ended_ && !answering_)) {
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
  if (state_ == State::kExchange || state_ == State::kFile || state_ == State::kFlushing) {
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
  if (tenant_ != nullptr) tenant_->pacer.leave(*this);
  socket_.shut_writing();
  input_.clear();
}

void Http1Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  forget_file();
  leave_tenant();
  socket_.close();
  deadline_.clear();
  place_.listener.on_connection_closed(*this);
}

}  // namespace rowhouse::gateway
