// Plans: named limits that tenants live within.
#pragma once

#include <vector>

#include "config/diagnostics.h"
#include "config/network_schema.h"
#include "config/yaml_tree.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

struct PlanEntry {
  proto::PlanRecord record;
  std::optional<Network> network;
};

// The plans of the map `node`, in its order.
[[nodiscard]] std::vector<PlanEntry> read_plans(const Node& node, std::size_t cap, Diagnostics& diagnostics);

}  // namespace rowhouse::config
