#include "gateway/tenant_traffic.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace rowhouse::gateway {

void TenantTraffic::set_limits(const TrafficLimits& limits) {
  // While there is no limit nobody counts: a new one begins with a full bucket.
  if (limits_.bytes_per_second == 0) bucket_.reset();
  limits_ = limits;
}

template <typename Change>
void TenantTraffic::rebase(Change change) {
  const std::uint64_t before = sent_by_all();
  change();
  bucket_.recount(before, sent_by_all());
}

void TenantTraffic::set_app(std::uint32_t app, TrafficShare share) {
  rebase([&] {
    if (proto::TrafficCell* const cell = home()) cell->connections.store(0, std::memory_order_relaxed);
    shares_.insert_or_assign(app, share);
    // What stands there may be of an app that had the row before.
    share.own().connections.store(0, std::memory_order_relaxed);
  });
  publish();
}

void TenantTraffic::remove_app(std::uint32_t app) {
  const auto found = shares_.find(app);
  if (found == shares_.end()) return;
  rebase([&] {
    found->second.own().connections.store(0, std::memory_order_relaxed);
    shares_.erase(found);
  });
  publish();
}

proto::TrafficCell* TenantTraffic::home() const {
  return shares_.empty() ? nullptr : &shares_.begin()->second.own();
}

void TenantTraffic::publish() const {
  if (proto::TrafficCell* const cell = home()) cell->connections.store(connections_, std::memory_order_relaxed);
}

// Said first and counted then, by every gateway in the same order: of two that come at the same moment at least one
// sees the other, so that there are never more than the limit.
bool TenantTraffic::enter() {
  ++connections_;
  publish();
  if (limits_.connections == 0) return true;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::uint64_t all = 0;
  for (const auto& [app, share] : shares_) all += share.connections();
  if (all <= limits_.connections) return true;
  leave();
  return false;
}

void TenantTraffic::leave() {
  --connections_;
  publish();
}

std::uint64_t TenantTraffic::sent_by_all() const {
  std::uint64_t sum = 0;
  for (const auto& [app, share] : shares_) sum += share.bytes_out();
  return sum;
}

std::uint64_t TenantTraffic::available(Instant now) {
  // Within one event nothing is brought, and what others send is seen in the next.
  const bool seen = bucket_.seen_at() && *bucket_.seen_at() >= now;
  if (!seen) bucket_.refill(static_cast<double>(limits_.bytes_per_second), sent_by_all(), now);
  return bucket_.level() <= 0 ? 0 : static_cast<std::uint64_t>(bucket_.level());
}

void TenantTraffic::take(std::uint64_t bytes) {
  proto::TrafficCell* const cell = home();
  bucket_.take(bytes);
  if (cell == nullptr) return;
  proto::add_to_own(cell->bytes_out, bytes);
  bucket_.expect(bytes);
}

Instant TenantTraffic::available_at(std::uint64_t bytes) const {
  const Instant seen_at = bucket_.seen_at().value();
  const double missing = static_cast<double>(bytes) - bucket_.level();
  if (missing <= 0) return seen_at;
  const double wait = std::ceil(missing * SharedBucket::kSecond / static_cast<double>(limits_.bytes_per_second));
  return seen_at + Duration(static_cast<std::int64_t>(wait));
}

std::uint64_t TenantTraffic::share_of(Duration time) const {
  const double bytes = static_cast<double>(limits_.bytes_per_second) * static_cast<double>(time.count()) / SharedBucket::kSecond;
  return std::max<std::uint64_t>(static_cast<std::uint64_t>(bytes), 1);
}

}  // namespace rowhouse::gateway
