// Descriptors that are held so that nobody else can take them: with none left the kernel would drop those that the
// supervisor sends, and what they belong to could not be understood.
#pragma once

#include <sys/eventfd.h>

#include <cstddef>
#include <vector>

#include "base/unique_fd.h"

namespace rowhouse::gateway {

class SpareDescriptors {
 public:
  explicit SpareDescriptors(std::size_t count) : count_(count) { refill(); }

  // Makes room for `wanted` that come now.
  void lend(std::size_t wanted) {
    while (wanted-- > 0 && !held_.empty()) held_.pop_back();
  }
  // Takes back what there is: after a time in which strangers had everything, all of them again.
  void refill() {
    while (held_.size() < count_) {
      UniqueFd spare(::eventfd(0, EFD_CLOEXEC));
      if (!spare.valid()) return;
      held_.push_back(std::move(spare));
    }
  }

 private:
  std::size_t count_;
  std::vector<UniqueFd> held_;
};

}  // namespace rowhouse::gateway
