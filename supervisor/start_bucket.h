// How many starts the host takes in a given time: a token bucket that all apps share.  After a reboot a thousand
// apps start in a stream that the machine can carry, and a start that somebody waits for does not stand behind
// them: a part of the bucket is kept for those.  Pure.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace rowhouse::supervisor {

enum class StartKind : std::uint8_t {
  kDemanded,    // a request, an operator or a lost worker waits for it
  kBackground,  // nobody does: at boot
};

class StartBucket {
 public:
  struct Size {
    std::uint32_t tokens = 1;      // that it holds, at least 1
    std::uint32_t reserve = 0;     // of them only for kDemanded; less than tokens
    std::uint32_t per_second = 1;  // that come back
  };
  // Full at first.
  StartBucket(Size size, Instant now) : size_(size), filled_at_(now), level_(whole(size.tokens)) {}

  // Takes a token; false when there is none for this kind.
  [[nodiscard]] bool try_take(StartKind kind, Instant now);
  // How long until try_take() can succeed when nobody else takes one; zero: now.
  [[nodiscard]] Duration wait(StartKind kind, Instant now);

 private:
  // The level is kept in millionths, so that short times add up.
  [[nodiscard]] static std::int64_t whole(std::uint32_t tokens) { return std::int64_t{tokens} * 1'000'000; }
  [[nodiscard]] std::int64_t needed(StartKind kind) const;
  void fill(Instant now);

  Size size_;
  Instant filled_at_;
  std::int64_t level_;
};

}  // namespace rowhouse::supervisor
