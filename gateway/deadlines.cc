#include "gateway/deadlines.h"

namespace rowhouse::gateway {

Deadline::~Deadline() {
  if (position_ != kNotInHeap) all_.remove(*this);
}

void Deadline::set(Instant at) {
  at_ = at;
  active_ = true;
  if (position_ == kNotInHeap) {
    all_.insert(*this);
  } else if (at < key_) {
    key_ = at;
    all_.sift_up(*this);
  }
}

std::optional<Instant> Deadlines::wake_at() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front()->key_;
}

void Deadlines::expire(Instant now) {
  while (!heap_.empty() && heap_.front()->key_ <= now) {
    Deadline& first = *heap_.front();
    if (first.active_ && first.at_ > now) {
      first.key_ = first.at_;
      sift_down(first);
      continue;
    }
    remove(first);
    if (!first.active_) continue;
    first.active_ = false;
    first.on_expired_();
  }
}

void Deadlines::insert(Deadline& deadline) {
  deadline.key_ = deadline.at_;
  heap_.push_back(&deadline);
  deadline.position_ = heap_.size() - 1;
  sift_up(deadline);
}

void Deadlines::remove(Deadline& deadline) {
  const std::size_t position = deadline.position_;
  Deadline& last = *heap_.back();
  heap_.pop_back();
  deadline.position_ = Deadline::kNotInHeap;
  if (&last == &deadline) return;
  place(last, position);
  sift_up(last);
  sift_down(last);
}

void Deadlines::place(Deadline& deadline, std::size_t position) {
  heap_[position] = &deadline;
  deadline.position_ = position;
}

void Deadlines::sift_up(Deadline& deadline) {
  std::size_t position = deadline.position_;
  while (position > 0) {
    const std::size_t parent = (position - 1) / 2;
    if (heap_[parent]->key_ <= deadline.key_) break;
    place(*heap_[parent], position);
    position = parent;
  }
  place(deadline, position);
}

void Deadlines::sift_down(Deadline& deadline) {
  std::size_t position = deadline.position_;
  while (true) {
    std::size_t child = 2 * position + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->key_ < heap_[child]->key_) ++child;
    if (deadline.key_ <= heap_[child]->key_) break;
    place(*heap_[child], position);
    position = child;
  }
  place(deadline, position);
}

}  // namespace rowhouse::gateway
