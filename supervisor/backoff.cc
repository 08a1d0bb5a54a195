#include "supervisor/backoff.h"

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

constexpr std::uint32_t kMaxDoublings = 20;

}  // namespace

void Backoff::on_healthy(Instant now) {
  if (healthy_) return;
  healthy_ = true;
  healthy_since_ = now;
}

Duration Backoff::on_death(Instant now, std::uint32_t random) {
  if (healthy_ && now - healthy_since_ >= limits_.reset_after) deaths_ = 0;
  healthy_ = false;
  ++deaths_;
  if (deaths_ == 1) return Duration::zero();
  const std::uint32_t doublings = std::min(deaths_ - 2, kMaxDoublings);
  const Duration delay = std::min(limits_.longest, limits_.first * (std::int64_t{1} << doublings));
  return delay * (75 + random % 51) / 100;
}

}  // namespace rowhouse::supervisor
