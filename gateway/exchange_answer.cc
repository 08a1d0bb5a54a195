// An exchange's answer: as fast as the worker makes it on one side, as fast as the client takes it on the other.  Up to
// a stream's window stands before the client; what comes while that is full is kept (BodyStore), and the worker gets
// credit for it, so that a slow client does not occupy a worker.  Where no more can be kept the client's pace is the
// worker's again.
//
//   worker --DATA--> deliver --client keeps up--> ExchangeClient --> output of its socket
//                       \--client is behind--> answer_ --pass_kept_on--^
#include <algorithm>

#include "gateway/app.h"
#include "gateway/caps.h"
#include "gateway/exchange.h"
#include "gateway/worker.h"

namespace rowhouse::gateway {

using proto::AbortReason;
using proto::Cause;

void Exchange::on_data(std::string_view bytes) {
  received_ += bytes.size();
  hold_response();
  if (bodyless_) bytes = {};
  const bool too_much = has_length_ && bytes.size() > length_left_;
  if (too_much) bytes = bytes.substr(0, static_cast<std::size_t>(length_left_));
  if (has_length_) length_left_ -= bytes.size();
  tally_.bytes_out += bytes.size();
  if (too_much) stop_stream(AbortReason::kBadResponse);
  deliver(bytes);
  if (too_much) cut(Cause::kBadResponse);
}

void Exchange::deliver(std::string_view bytes) {
  if (!keeps_answer_ || bytes.empty() || (!has_kept_answer() && unsent_ < proto::kStreamWindowBytes)) {
    unsent_ += bytes.size();
    client_.on_response_data(bytes);
    return;
  }
  if (answer_ == nullptr) {
    answer_ = std::make_unique<BodyStore>(bench_, [this] { on_answer_progress(); }, kAnswerMemoryBytes);
  }
  if (answer_->empty()) answer_->set_tenant(app_->limits().owner);
  answer_->append(bytes);
  credit_worker();
}

// The worker waits for credit from here on; its request's time does not pass meanwhile.
void Exchange::hold_response() {
  if (!held_since_ && stream_->receive_window < proto::kMaxDataBytes) held_since_ = bench_.turn.now();
}

void Exchange::note_unsent(std::size_t unsent) {
  if (state_ != ExchangeState::kRunning && state_ != ExchangeState::kDelivering) return;
  unsent_ = unsent;
  pass_kept_on();
  credit_worker();
}

bool Exchange::answer_takes_more() const {
  if (!keeps_answer_) return false;
  if (answer_ == nullptr) return true;
  return !answer_->is_full() && answer_->memory_bytes() < 2 * kAnswerMemoryBytes && answer_->size() < kMaxAnswerBytes;
}

void Exchange::credit_worker() {
  if (state_ != ExchangeState::kRunning || stream_ == nullptr) return;
  const std::uint64_t waiting = received_ - credited_;
  const std::uint64_t kept = has_kept_answer() ? answer_->size() - answer_sent_ : 0;
  const std::uint64_t in_the_way = answer_takes_more() ? 0 : unsent_ + kept;
  if (waiting < in_the_way + kCreditStepBytes) return;
  const std::uint64_t taken = waiting - in_the_way;
  credited_ += taken;
  worker_->channel().grant(*stream_, static_cast<std::uint32_t>(taken));
  if (!held_since_ || stream_->receive_window < proto::kMaxDataBytes) return;
  held_ += bench_.turn.now() - *held_since_;
  held_since_.reset();
}

// The disk has taken or brought a piece.
void Exchange::on_answer_progress() {
  bench_.turn.refresh();
  pass_kept_on();
  credit_worker();
}

// What was kept, as soon as the client has nearly taken what came before it.
void Exchange::pass_kept_on() {
  while (has_kept_answer() && unsent_ < kOutputLowBytes) {
    const std::string_view part = answer_->at(answer_sent_).substr(0, kAnswerPartBytes);
    if (answer_->is_broken()) {
      forget_answer();
      if (state_ == ExchangeState::kRunning) {
        stop_stream(AbortReason::kClientGone);
        leave(Cause::kSpool);
      }
      tally_.cause = Cause::kSpool;
      return tell_end(AnswerEnd::kCut);
    }
    if (part.empty()) return;  // it is being fetched
    answer_sent_ += part.size();
    unsent_ += part.size();
    client_.on_response_data(part);
    if (answer_sent_ == answer_->size()) {
      answer_->clear();
      answer_sent_ = 0;
    }
  }
  if (state_ == ExchangeState::kDelivering && !has_kept_answer()) tell_end(*answer_end_);
}

// --- the end ---------------------------------------------------------------------------------------------

void Exchange::on_end(const proto::End& end) {
  note_costs(end);
  stream_ = nullptr;
  if (has_length_ && length_left_ > 0) {
    cut(Cause::kBadResponse);
    return;
  }
  leave(Cause::kNone);
  end_answer(AnswerEnd::kWhole);
}

// Shares of the service time; where END could not say all of it, of the time since the request was sent.
void Exchange::note_costs(const proto::End& end) {
  constexpr std::uint64_t kLongest = 0xffff;
  const auto since_sent = static_cast<std::uint64_t>((bench_.turn.now() - tally_.sent_at).count());
  const std::uint64_t service_us = end.service_us < kLongest ? end.service_us : std::max(since_sent, kLongest);
  const auto part = [&](std::uint8_t share) {
    if (share == 0) return proto::kUnknownUs;
    const std::uint64_t us = service_us * (share - 1U) / (proto::kMaxEndShare - 1U);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(us, proto::kUnknownUs - 1));
  };
  tally_.cpu_us = part(end.cpu);
  tally_.gil_wait_us = part(end.gil_wait);
}

void Exchange::cut(Cause cause) {
  leave(cause);
  end_answer(AnswerEnd::kCut);
}

// REQUIRES: the worker is rid of it.
void Exchange::end_answer(AnswerEnd end) {
  if (!has_kept_answer()) return tell_end(end);
  state_ = ExchangeState::kDelivering;
  answer_end_ = end;
  answer_->finish();
}

void Exchange::tell_end(AnswerEnd end) {
  state_ = ExchangeState::kIdle;
  answer_end_.reset();
  if (end == AnswerEnd::kWhole) {
    client_.on_response_end();
  } else {
    client_.on_response_cut();
  }
}

void Exchange::forget_answer() {
  answer_end_.reset();
  answer_sent_ = 0;
  if (answer_ != nullptr) answer_->clear();
}

}  // namespace rowhouse::gateway
