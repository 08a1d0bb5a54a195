// One tenant as this gateway sees it: what is counted over all its apps.
#pragma once

#include <string>
#include <utility>

#include "gateway/pacer.h"
#include "gateway/tenant_rate.h"
#include "gateway/tenant_traffic.h"
#include "gateway/turn_shares.h"

namespace rowhouse::gateway {

struct Tenant {
  Tenant(std::string given_name, Deadlines& deadlines) : name(std::move(given_name)), pacer(deadlines, traffic) {}

  const std::string name;
  TenantRate rate;
  TenantTraffic traffic;
  Pacer pacer;
  TurnShare turn_share;
};

}  // namespace rowhouse::gateway
