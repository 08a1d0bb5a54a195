// The host file (rowhouse.yaml of the operator) as the records that the supervisor is sent.
#pragma once

#include <vector>

#include "config/diagnostics.h"
#include "config/plan_schema.h"
#include "config/users.h"
#include "config/yaml_tree.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

inline constexpr std::size_t kMaxListeners = 16;
inline constexpr std::size_t kMaxAdmins = 64;
inline constexpr std::size_t kMaxTrustedProxies = 64;
inline constexpr std::size_t kMaxPythons = 16;
inline constexpr std::size_t kMaxPlans = 256;

struct HostFile {
  proto::HostRecord host;
  Network network;  // of isolation
  proto::GatewayRecord gateway;
  std::vector<proto::TrustedProxyRecord> trusted_proxies;
  std::vector<proto::ListenRecord> listeners;
  std::vector<proto::AdminRecord> admins;
  std::vector<proto::PythonRecord> pythons;  // empty: every worker that was built
  std::vector<PlanEntry> plans;
  std::vector<proto::PrivilegedGroupRecord> privileged_groups;  // of this host, not of the file
};

// The result is complete only when nothing was added to `diagnostics`.
[[nodiscard]] HostFile read_host_file(const Node& root, const Users& users, Diagnostics& diagnostics);

}  // namespace rowhouse::config
