#include "gateway/tenant_rate.h"

namespace rowhouse::gateway {

void TenantRate::set_app(std::uint32_t app, AppShare share) {
  // What another app admitted in this row before is not this tenant's.
  if (shares_.insert_or_assign(app, share).second) bucket_.reset();
}

void TenantRate::remove_app(std::uint32_t app) {
  shares_.erase(app);
  bucket_.reset();
}

std::uint64_t TenantRate::admitted() const {
  std::uint64_t sum = 0;
  for (const auto& [app, share] : shares_) sum += share.admitted();
  return sum;
}

bool TenantRate::admit(std::uint32_t app, Instant now) {
  if (rate_ == 0) return true;
  bucket_.refill(rate_, admitted(), now);
  if (bucket_.level() < 1) return false;
  // Counted in the column, and so taken from the level when it is looked at next.
  proto::add_to_own(shares_.at(app).own().admitted, std::uint64_t{1});
  return true;
}

}  // namespace rowhouse::gateway
