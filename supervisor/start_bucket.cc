#include "supervisor/start_bucket.h"

#include <algorithm>

namespace rowhouse::supervisor {

std::int64_t StartBucket::needed(StartKind kind) const {
  return kind == StartKind::kDemanded ? whole(1) : whole(1 + size_.reserve);
}

// Durations are microseconds: one of them brings `per_second` millionths of a token.
void StartBucket::fill(Instant now) {
  const std::int64_t room = whole(size_.tokens) - level_;
  const std::int64_t passed_us = std::max<std::int64_t>(0, (now - filled_at_).count());
  filled_at_ = now;
  if (passed_us > room / size_.per_second) {
    level_ = whole(size_.tokens);
  } else {
    level_ += passed_us * size_.per_second;
  }
}

bool StartBucket::try_take(StartKind kind, Instant now) {
  fill(now);
  if (level_ < needed(kind)) return false;
  level_ -= whole(1);
  return true;
}

Duration StartBucket::wait(StartKind kind, Instant now) {
  fill(now);
  const std::int64_t missing = std::max<std::int64_t>(0, needed(kind) - level_);
  return Duration((missing + size_.per_second - 1) / size_.per_second);
}

}  // namespace rowhouse::supervisor
