// How many requests a tenant may have in a second, over all its apps and all gateways: a token bucket whose
// outflow is read from the shared table, where each gateway counts in its own column what it admitted.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "base/clock.h"
#include "gateway/share.h"
#include "gateway/shared_bucket.h"

namespace rowhouse::gateway {

class TenantRate {
 public:
  // 0: no limit.
  void set_rate(std::uint32_t per_second) { rate_ = per_second; }
  void set_app(std::uint32_t app, AppShare share);
  void remove_app(std::uint32_t app);
  [[nodiscard]] bool has_apps() const { return !shares_.empty(); }

  // Takes one token, or says no.  REQUIRES: set_app(app).
  [[nodiscard]] bool admit(std::uint32_t app, Instant now);

 private:
  [[nodiscard]] std::uint64_t admitted() const;

  std::uint32_t rate_ = 0;
  std::unordered_map<std::uint32_t, AppShare> shares_;
  SharedBucket bucket_;  // of requests
};

}  // namespace rowhouse::gateway
