// The requests that wait for a worker, in order.  Each exchange carries its own links, so waiting allocates
// nothing and leaving from the middle is cheap.
#pragma once

#include <cstddef>

namespace rowhouse::gateway {

class Exchange;

struct QueueLinks {
  Exchange* before = nullptr;
  Exchange* after = nullptr;
};

class ExchangeQueue {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // REQUIRES: !empty().
  [[nodiscard]] Exchange& front() const { return *first_; }
  void push_back(Exchange& exchange);
  void push_front(Exchange& exchange);
  // REQUIRES: the exchange is in this queue.
  void remove(Exchange& exchange);

 private:
  Exchange* first_ = nullptr;
  Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace rowhouse::gateway
