#include "gateway/exchange_queue.h"

#include "gateway/exchange.h"

namespace rowhouse::gateway {

void ExchangeQueue::push_back(Exchange& exchange) {
  exchange.queue_links() = {last_, nullptr};
  (last_ != nullptr ? last_->queue_links().after : first_) = &exchange;
  last_ = &exchange;
  ++size_;
}

void ExchangeQueue::push_front(Exchange& exchange) {
  exchange.queue_links() = {nullptr, first_};
  (first_ != nullptr ? first_->queue_links().before : last_) = &exchange;
  first_ = &exchange;
  ++size_;
}

void ExchangeQueue::remove(Exchange& exchange) {
  const QueueLinks links = exchange.queue_links();
  (links.before != nullptr ? links.before->queue_links().after : first_) = links.after;
  (links.after != nullptr ? links.after->queue_links().before : last_) = links.before;
  exchange.queue_links() = {};
  --size_;
}

}  // namespace rowhouse::gateway
