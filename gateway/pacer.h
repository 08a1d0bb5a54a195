// Shares what a tenant's bucket of bytes brings (tenant_traffic.h) among its connections of this gateway: whoever
// finds it empty waits in line, and gets its turn when there is something again.  One deadline for the line, set to
// when a step's worth is there, so that nothing turns while there is nothing to send.
#pragma once

#include <cstdint>

#include "gateway/deadlines.h"
#include "gateway/tenant_traffic.h"

namespace rowhouse::gateway {

class Pacer;

// One that writes.  Leaves its pacer before it is destroyed.
class PacedWriter {
 public:
  virtual ~PacedWriter() = default;
  // Its turn has come: Pacer::grant() has something for it.
  virtual void on_turn_to_write() = 0;

 private:
  friend class Pacer;
  PacedWriter* before_ = nullptr;
  PacedWriter* after_ = nullptr;
  bool waiting_ = false;
  std::uint64_t reserved_ = 0;
};

class Pacer {
 public:
  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
  static constexpr std::uint64_t kMaxTurnBytes = 64 * 1024;  // of one writer, while others wait
  static constexpr Duration kStep = std::chrono::milliseconds(20);  // that the line waits for at least

  enum class Wish : std::uint8_t { kNothing, kMore };

  Pacer(Deadlines& deadlines, TenantTraffic& traffic);
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  // How much the writer may send now; 0 while it waits.
  [[nodiscard]] std::uint64_t grant(const PacedWriter& writer, Instant now);
  // It has sent so much of what it was granted, and waits if it has more.
  void note_sent(PacedWriter& writer, std::uint64_t bytes, Wish wish, Instant now);
  [[nodiscard]] bool is_waiting(const PacedWriter& writer) const { return writer.waiting_ || writer.reserved_ != 0; }
  // It sends nothing any more.
  void leave(PacedWriter& writer);
  // The limits have changed.
  void on_limits(Instant now);

 private:
  void distribute(Instant now);
  void release(PacedWriter& writer, std::uint64_t bytes);
  void push(PacedWriter& writer);
  void unlink(PacedWriter& writer);
  void arm(Instant now);
  [[nodiscard]] std::uint64_t unreserved(Instant now);
  // Of one writer when others wait.
  [[nodiscard]] std::uint64_t turn_bytes() const;

  TenantTraffic& traffic_;
  PacedWriter* first_ = nullptr;
  PacedWriter* last_ = nullptr;
  std::uint64_t reserved_ = 0;  // for those whose turn it is and who have not sent yet
  Instant due_at_{};
  Deadline due_;
};

}  // namespace rowhouse::gateway
