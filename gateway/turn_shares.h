// A turn of the loop is shared: while several tenants have work, each may have so many of its connections read in one turn,
// and the others of its connections wait for the next, for which the kernel names them again.  So a request of a quiet
// tenant waits for a bounded part of a loud one's, however many connections that has.  A tenant that is alone is not held
// back: turns would only become more, not shorter for anybody.  Pure: knows no socket.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace rowhouse::gateway {

// One tenant's.
struct TurnShare {
  std::uint64_t turn = 0;
  std::uint32_t taken = 0;  // in that turn
};

// One gateway's.
class TurnShares {
 public:
  static constexpr std::uint32_t kReadsPerTurn = 32;
  // Tenants that took turns within this time are neighbours.
  static constexpr Duration kCrowdedTime = std::chrono::seconds(1);

  // The tenant with this share has work.
  void note(const TurnShare& share, Instant now) {
    if (last_ == &share) return;
    if (last_ != nullptr) crowded_until_ = now + kCrowdedTime;
    last_ = &share;
  }

  // Whether a connection of the tenant may be read in turn number `turn`; counts it if so.
  [[nodiscard]] bool admit(TurnShare& share, std::uint64_t turn, Instant now) {
    note(share, now);
    if (share.turn != turn) share = {turn, 0};
    if (share.taken >= kReadsPerTurn && now < crowded_until_) return false;
    ++share.taken;
    return true;
  }

 private:
  const TurnShare* last_ = nullptr;  // who had work last; compared only
  Instant crowded_until_{};
};

}  // namespace rowhouse::gateway
