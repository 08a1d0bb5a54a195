#include "gateway/pacer.h"

#include <algorithm>

namespace rowhouse::gateway {

Pacer::Pacer(Deadlines& deadlines, TenantTraffic& traffic)
    : traffic_(traffic), due_(deadlines, [this] { distribute(due_at_); }) {}

std::uint64_t Pacer::unreserved(Instant now) {
  const std::uint64_t available = traffic_.available(now);
  return available > reserved_ ? available - reserved_ : 0;
}

std::uint64_t Pacer::turn_bytes() const {
  return std::min(kMaxTurnBytes, traffic_.share_of(kStep));
}

std::uint64_t Pacer::grant(const PacedWriter& writer, Instant now) {
  if (!traffic_.limits_bytes()) return kNoLimit;
  if (writer.reserved_ != 0) return writer.reserved_;
  // Nobody overtakes those who wait.
  return first_ == nullptr ? unreserved(now) : 0;
}

void Pacer::note_sent(PacedWriter& writer, std::uint64_t bytes, Wish wish, Instant now) {
  if (!traffic_.limits_bytes()) return leave(writer);
  reserved_ -= writer.reserved_;
  writer.reserved_ = 0;
  if (bytes != 0) traffic_.take(bytes);
  if (wish == Wish::kNothing) {
    unlink(writer);
  } else if (!writer.waiting_) {
    push(writer);
  }
  arm(now);
}

void Pacer::leave(PacedWriter& writer) {
  reserved_ -= writer.reserved_;
  writer.reserved_ = 0;
  unlink(writer);
}

void Pacer::on_limits(Instant now) {
  if (traffic_.limits_bytes()) return arm(now);
  due_.clear();
  while (first_ != nullptr) release(*first_, 0);
}

// As many turns as the bucket has bytes for; the others keep their places.
void Pacer::distribute(Instant now) {
  if (!traffic_.limits_bytes()) return;
  std::uint64_t left = unreserved(now);
  const std::uint64_t most = turn_bytes();
  while (first_ != nullptr && left > 0) {
    const std::uint64_t share = std::min(left, most);
    left -= share;
    release(*first_, share);
  }
  arm(now);
}

void Pacer::release(PacedWriter& writer, std::uint64_t bytes) {
  unlink(writer);
  writer.reserved_ = bytes;
  reserved_ += bytes;
  writer.on_turn_to_write();
}

void Pacer::arm(Instant now) {
  if (first_ == nullptr) return due_.clear();
  // Asked again, so that what other gateways have sent since is counted.
  [[maybe_unused]] const std::uint64_t available = traffic_.available(now);
  due_at_ = traffic_.available_at(reserved_ + turn_bytes());
  due_.set(due_at_);
}

void Pacer::push(PacedWriter& writer) {
  writer.waiting_ = true;
  writer.before_ = last_;
  writer.after_ = nullptr;
  (last_ == nullptr ? first_ : last_->after_) = &writer;
  last_ = &writer;
}

void Pacer::unlink(PacedWriter& writer) {
  if (!writer.waiting_) return;
  writer.waiting_ = false;
  (writer.before_ == nullptr ? first_ : writer.before_->after_) = writer.after_;
  (writer.after_ == nullptr ? last_ : writer.after_->before_) = writer.before_;
  writer.before_ = writer.after_ = nullptr;
}

}  // namespace rowhouse::gateway
