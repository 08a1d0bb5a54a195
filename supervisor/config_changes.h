// What a newly read host file changes, and how each change comes into force.  Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/reload_messages.h"
#include "supervisor/registry.h"

namespace rowhouse::supervisor {

struct ConfigChange {
  std::string plan;    // empty: a part of the host file outside `plans`
  std::string tenant;  // only of what was not applied
  proto::ConfigKey key = proto::ConfigKey::kPlan;
  proto::ReloadEffect effect = proto::ReloadEffect::kAppliedLive;
  auto operator<=>(const ConfigChange&) const = default;
};

[[nodiscard]] std::vector<ConfigChange> compare_hosts(const HostConfiguration& now,
                                                      const HostConfiguration& fresh);

// What is different about a tenant, and how it comes into force.
[[nodiscard]] std::vector<ConfigChange> compare_tenants(const TenantEntry& now, const TenantEntry& fresh,
                                                        const HostConfiguration& host);

// A plan that has gone although a tenant has it.
[[nodiscard]] std::optional<Problem> check_plans_in_use(const HostConfiguration& fresh,
                                                        const TenantIndex& tenants);

}  // namespace rowhouse::supervisor
