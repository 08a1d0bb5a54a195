// A turn of the loop is shared: while several tenants have work, each may have so many of its connections read in one turn,
// and so many requests begun that were there already behind others of their connections (pipelined ones); the rest waits for
// the next turn.  So a request of a quiet tenant waits for a bounded part of a loud one's, however many connections that
// has and however much it sends on each.  A tenant that is alone is not held back: turns would only become more, not
// shorter for anybody.  Connections that are no tenant's yet, or never will be, have one share together, always: nobody
// knows whose neighbours they are.  Pure: knows no socket.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace rowhouse::gateway {

// What a connection wants of a turn.  Counted apart, so that neither can starve the other.
enum class TurnWork : std::uint8_t { kRead, kNextRequest };

// One tenant's.
struct TurnShare {
  std::uint64_t turn = 0;
  std::uint32_t reads = 0;          // in that turn
  std::uint32_t next_requests = 0;  // in that turn
};

// One gateway's.
class TurnShares {
 public:
  static constexpr std::uint32_t kReadsPerTurn = 32;
  static constexpr std::uint32_t kNextRequestsPerTurn = 32;
  // Tenants that took turns within this time are neighbours.
  static constexpr Duration kCrowdedTime = std::chrono::seconds(1);

  // The tenant with this share has work.
  void note(const TurnShare& share, Instant now) {
    if (last_ == &share) return;
    if (last_ != nullptr) crowded_until_ = now + kCrowdedTime;
    last_ = &share;
  }

  // Whether a connection of the tenant may do this in turn number `turn`; counts it if so.
  [[nodiscard]] bool admit(TurnShare& share, TurnWork work, std::uint64_t turn, Instant now) {
    note(share, now);
    return take(share, work, turn) || now >= crowded_until_;
  }

  // The same for a connection that is no tenant's.
  [[nodiscard]] bool admit_stranger(TurnWork work, std::uint64_t turn) { return take(strangers_, work, turn); }

 private:
  // False: the share is used up.
  [[nodiscard]] static bool take(TurnShare& share, TurnWork work, std::uint64_t turn) {
    if (share.turn != turn) share = {turn, 0, 0};
    const bool is_read = work == TurnWork::kRead;
    std::uint32_t& taken = is_read ? share.reads : share.next_requests;
    if (taken >= (is_read ? kReadsPerTurn : kNextRequestsPerTurn)) return false;
    ++taken;
    return true;
  }

  const TurnShare* last_ = nullptr;  // who had work last; compared only
  Instant crowded_until_{};
  TurnShare strangers_;
};

}  // namespace rowhouse::gateway
