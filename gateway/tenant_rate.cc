#include "gateway/tenant_rate.h"

#include <algorithm>

namespace rowhouse::gateway {
namespace {

constexpr double kSecond = 1e6;  // Duration counts microseconds

}  // namespace

void TenantRate::set_app(std::uint32_t app, AppShare share) {
  // What another app admitted in this row before is not this tenant's.
  if (shares_.insert_or_assign(app, share).second) seen_at_.reset();
}

void TenantRate::remove_app(std::uint32_t app) {
  shares_.erase(app);
  seen_at_.reset();
}

std::uint64_t TenantRate::admitted() const {
  std::uint64_t sum = 0;
  for (const auto& [app, share] : shares_) sum += share.admitted();
  return sum;
}

bool TenantRate::admit(std::uint32_t app, Instant now) {
  if (rate_ == 0) return true;
  const double most = rate_;
  const std::uint64_t all = admitted();
  if (seen_at_) {
    level_ += static_cast<double>((now - *seen_at_).count()) * most / kSecond;
    // Less than before: a gateway died, and its column began again.
    if (all > seen_) level_ -= static_cast<double>(all - seen_);
  } else {
    level_ = most;
  }
  level_ = std::clamp(level_, -most, most);
  seen_at_ = now;
  seen_ = all;
  if (level_ < 1) return false;
  // Counted in the column, and so taken from the level when it is looked at next.
  proto::add_to_own(shares_.at(app).own().admitted, std::uint64_t{1});
  return true;
}

}  // namespace rowhouse::gateway
