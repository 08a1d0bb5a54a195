// An exchange's request body: collected before a worker is occupied, or passed on as it comes; kept as long as the
// request may have to go to another worker.
#include <algorithm>

#include "gateway/app.h"
#include "gateway/caps.h"
#include "gateway/exchange.h"
#include "gateway/worker.h"

namespace rowhouse::gateway {
namespace {

using proto::AbortReason;
using proto::BodyPart;
using proto::Cause;

constexpr Refusal kBodyLost{503, Cause::kSpool, 1, AfterAnswer::kClose};
constexpr Refusal kBodyTooLarge{413, Cause::kTooLarge, 0, AfterAnswer::kClose};

}  // namespace

bool Exchange::wants_collecting() const {
  return request_.has_body() && app_->options().buffering;
}

std::size_t Exchange::body_room() {
  if (state_ == ExchangeState::kCollecting) return kept_.room();
  if (state_ != ExchangeState::kRunning || body_complete_ || kept_sent_ < kept_.size()) return 0;
  const std::size_t room = worker_->channel().body_room(*stream_);
  if (!replayable_) return room;
  return std::min<std::size_t>(room, kMaxReplayBytes - std::min<std::size_t>(kept_.size(), kMaxReplayBytes));
}

void Exchange::collect(std::string_view bytes) {
  kept_.append(bytes);
  starved_since_.reset();
  if (!body_complete_ && !kept_.is_full()) starved_since_ = bench_.turn.now();
  if (body_complete_ || kept_.is_full()) stop_collecting();
}

// The body is whole, or no more of it can be kept: then the rest goes to the worker as it comes.
void Exchange::stop_collecting() {
  app_->leave_collecting(*this);
  state_ = ExchangeState::kQueued;
  tally_.queued_at = bench_.turn.now();
  starved_since_.reset();
  starved_ = {};
  if (!body_complete_) replayable_ = false;
  if (const auto refusal = app_->submit(*this)) refuse(*refusal);
}

// The disk has taken or brought a piece.
void Exchange::on_body_progress() {
  bench_.turn.refresh();
  if (state_ == ExchangeState::kCollecting) {
    if (kept_.is_full()) {
      stop_collecting();
    } else {
      client_.on_body_wanted();
    }
  } else if (state_ == ExchangeState::kRunning && kept_sent_ < kept_.size()) {
    send_kept();
  }
}

void Exchange::send_body(std::string_view bytes, BodyPart part) {
  if (state_ != ExchangeState::kRunning && state_ != ExchangeState::kCollecting) return;
  const Instant now = bench_.turn.now();
  if (starved_since_) starved_ += now - *starved_since_;
  tally_.bytes_in += bytes.size();
  if (!tunnel_ && tally_.bytes_in > app_->limits().body_bytes) {
    if (state_ == ExchangeState::kCollecting) {
      app_->leave_collecting(*this);
    } else {
      stop_stream(AbortReason::kClientGone);
    }
    fail(kBodyTooLarge);
    return;
  }
  body_complete_ = part == BodyPart::kLast;
  if (state_ == ExchangeState::kCollecting) {
    collect(bytes);
    return;
  }
  worker_->channel().send_body(*stream_, bytes, part);
  if (replayable_) {
    kept_.append_to_memory(bytes);
    kept_sent_ = kept_.size();
  }
  starved_since_.reset();
  if (!tunnel_ && !body_complete_ && stream_->send_window > 0) starved_since_ = now;
}

std::optional<Instant> Exchange::body_due_at() const {
  if (!starved_since_) return std::nullopt;
  const Duration allowed = kBodyGraceTime + Duration(std::chrono::seconds(tally_.bytes_in / kMinBodyRate));
  return *starved_since_ + std::max(allowed - starved_, Duration::zero());
}

// What was collected, or what an earlier worker was sent and did not run.
void Exchange::send_kept() {
  while (kept_sent_ < kept_.size()) {
    const std::size_t room = worker_->channel().body_room(*stream_);
    if (room == 0) return;
    const std::string_view part = kept_.at(kept_sent_).substr(0, room);
    if (kept_.is_broken()) {
      stop_stream(AbortReason::kClientGone);
      fail(kBodyLost);
      return;
    }
    if (part.empty()) return;
    kept_sent_ += part.size();
    const bool is_last = body_complete_ && kept_sent_ == kept_.size();
    worker_->channel().send_body(*stream_, part, is_last ? BodyPart::kLast : BodyPart::kMore);
  }
  if (kept_.empty() && body_complete_) worker_->channel().send_body(*stream_, {}, BodyPart::kLast);
  if (replayable_) return;
  drop_kept();
  if (!body_complete_) client_.on_body_wanted();
}

// Only a body that is sure to be known whole: what does not fit must be let through to the app.
bool Exchange::keeps_replay() const {
  if (app_->limits().retry != proto::RetryPolicy::kIdempotent || !request_.is_idempotent()) return false;
  return body_complete_ || (request_.framing != BodyFraming::kChunked && request_.content_length <= kMaxReplayBytes);
}

void Exchange::forget_replay() {
  if (!replayable_) return;
  replayable_ = false;
  if (kept_sent_ == kept_.size()) drop_kept();
  // The cap of what is kept may have been in the way.
  if (!body_complete_) client_.on_body_wanted();
}

void Exchange::drop_kept() {
  kept_.clear();
  kept_sent_ = 0;
}

void Exchange::on_body_room() {
  if (kept_sent_ < kept_.size()) send_kept();
  if (!body_complete_) client_.on_body_wanted();
}

// Credit before START: somebody reads the body all the same, so it cannot be sent again.
void Exchange::on_credit() {
  if (!keeps_replay()) forget_replay();
  if (!tunnel_ && !body_complete_ && !starved_since_) starved_since_ = bench_.turn.now();
}

void Exchange::on_started() {
  if (!keeps_replay()) forget_replay();
}

}  // namespace rowhouse::gateway
