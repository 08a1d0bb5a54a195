// All deadlines of the gateway in one heap, so that the loop needs one timer.  Moving a deadline to a later
// time, which nearly every request does, costs one store: the heap learns of it when the earlier time comes.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace rowhouse::gateway {

class Deadlines;

// One deadline of its owner.  Fires once; the owner may set it again.
class Deadline {
 public:
  Deadline(Deadlines& all, std::function<void()> on_expired)
      : all_(all), on_expired_(std::move(on_expired)) {}
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set_callback(std::function<void()> on_expired) { on_expired_ = std::move(on_expired); }
  void set(Instant at);
  void clear() { active_ = false; }
  [[nodiscard]] bool is_set() const { return active_; }

 private:
  friend class Deadlines;
  static constexpr std::size_t kNotInHeap = ~std::size_t{0};

  Deadlines& all_;
  std::function<void()> on_expired_;
  Instant at_{};   // what the owner wants
  Instant key_{};  // where it is in the heap: never later than at_
  std::size_t position_ = kNotInHeap;
  bool active_ = false;
};

class Deadlines {
 public:
  Deadlines() = default;
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // When expire() should be called next; may be earlier than the earliest deadline.
  [[nodiscard]] std::optional<Instant> wake_at() const;
  // Fires all deadlines up to `now`.
  void expire(Instant now);

 private:
  friend class Deadline;
  void insert(Deadline& deadline);
  void remove(Deadline& deadline);
  void place(Deadline& deadline, std::size_t position);
  void sift_up(Deadline& deadline);
  void sift_down(Deadline& deadline);

  std::vector<Deadline*> heap_;
};

}  // namespace rowhouse::gateway
