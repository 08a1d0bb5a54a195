// A tenant file (tenants.d/NAME.yaml) as the records that the supervisor is sent.
#pragma once

#include <string_view>
#include <vector>

#include "config/diagnostics.h"
#include "config/network_schema.h"
#include "config/users.h"
#include "config/yaml_tree.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

struct TenantFile {
  proto::TenantRecord tenant;
  std::optional<Network> network;  // of its own
  std::vector<proto::DomainRecord> domains;
  std::vector<proto::SuspensionRecord> suspensions;  // the whole tenant's, or one for each suspended app
};

// `name` is the file's name without .yaml: the user's name for workers when a numeric uid has no other.
// The result is complete only when nothing was added to `diagnostics`.
[[nodiscard]] TenantFile read_tenant_file(const Node& root, std::string_view name, const Users& users,
                                          Diagnostics& diagnostics);

}  // namespace rowhouse::config
