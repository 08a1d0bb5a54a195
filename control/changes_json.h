// What orders have changed, as the API shows it.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "proto/live_messages.h"
#include "proto/reload_messages.h"

namespace rowhouse::control {

// {"plan", "tenant", "key", "effect"}: each of the first two only where there is one.
[[nodiscard]] nlohmann::ordered_json changes_json(const std::vector<proto::ReloadChange>& found);
// {"tenant", "app", "change"}: `app` only where there is one.
[[nodiscard]] nlohmann::ordered_json tenant_changes_json(const std::vector<proto::TenantChange>& found);

}  // namespace rowhouse::control
