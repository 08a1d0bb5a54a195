// Every control message, as types: what the tests of page, permits and codec walk over.
#pragma once

#include <array>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "proto/common_messages.h"
#include "proto/control_messages.h"
#include "proto/gateway_messages.h"
#include "proto/jail_messages.h"
#include "proto/keeper_messages.h"
#include "proto/live_messages.h"
#include "proto/loader_messages.h"
#include "proto/reload_messages.h"
#include "proto/tenant_messages.h"
#include "proto/upgrade_messages.h"
#include "proto/usage_messages.h"

namespace rowhouse::proto::test {

using AllMessages =
    std::tuple<Ping, Pong, Child, ChildExited, Shutdown, SupervisorReady, LoadHost, LoadTenant, LoadManifest,
               HostRecord, ListenRecord, AdminRecord, PythonRecord, PlanRecord, TenantRecord, DomainRecord,
               AppRecord, RouteRecord, StaticRecord, Loaded, LoadError, PrivilegedGroupRecord, NetworkRecord, SocketRecord,
               PortRecord, GatewayPartRecord, GatewayRecord, TrustedProxyRecord, AppPart,
               GatewayOptions, AcmeDirectory, TrustedProxy, SpoolDirectory, ListenerGone, JailMount, JailPort, JailSetup, JailFailed,
               StewardReady, Spawn, SpawnTemplate, Reap, SpawnFailed, WorkerExited, GatewaySetup, Listener, GatewayReady, AppBegin,
               AppRoute, AppStatic, AppRetry, AppCommit, AppCommitted, AppRemove, AppConditionChange, WorkerAdd, WorkerGone,
               Switch, Switched, WorkerFault, Retire, AppWanted, Probe, Probed, WorkerLeaving, ControlSetup, ControlReady, ControlAdmin, TenantInfo,
               TenantProblem, LogSource, AccessSource, Death, HostDeath, DeathStored, Query, AppInfo, WorkerInfo, QueryEnd, Command,
               CommandDone, AppNotice, Reload, ReloadOrder, ReloadChange, ReloadDone, AppUsage, TenantUsage,
               ManifestIdentity, ManifestWatch, Unchanged, LookAtManifest, ReloadTenantOrder, TenantChange,
               Resync, Resynced, Keep, Discard, Fetch, Fetched, ExitSeen, Adopted, Upgrade, Upgraded,
               StewardWorker, GatewayApp, GatewayWorker, UpgradeOrder, UpgradeDone, ControlRetire, SuspensionRecord, SourceText,
               LoadKeptManifest, TouchRecord, JailWatch, Touched, TenantSuspension, TenantDraft, TenantDraftDomain,
               TenantWrite, TenantRemoval, TenantWritten, TenantQuery, TenantDetail, TenantDetailDomain, TenantQueryEnd,
               ManifestOrder, PutManifest, ShareRecord, AppTraffic, UsageDirectory>;

// Calls visit.operator()<M>() for every message type.
template <typename Visit>
void for_each_message(Visit&& visit) {
  [&]<typename... M>(std::tuple<M...>*) {
    (visit.template operator()<M>(), ...);
  }(static_cast<AllMessages*>(nullptr));
}

// The wire types of a message's fields, in the words of the page.
class FieldTypes {
 public:
  template <typename... Fields>
  void operator()(const Fields&... fields) {
    (names_.push_back(name_of(fields)), ...);
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  static std::string name_of(const bool&) { return "bool"; }
  template <std::integral Integer>
  static std::string name_of(const Integer&) {
    return (std::is_signed_v<Integer> ? "i" : "u") + std::to_string(8 * sizeof(Integer));
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  static std::string name_of(const Enum&) {
    return name_of(std::underlying_type_t<Enum>{});
  }
  template <std::size_t N>
  static std::string name_of(const std::array<std::uint8_t, N>&) {
    return "bytes" + std::to_string(N);
  }
  template <std::size_t N>
  static std::string name_of(const Text<N>&) {
    return "text" + std::to_string(N);
  }
  std::vector<std::string> names_;
};

template <ControlMessage M>
[[nodiscard]] std::vector<std::string> field_types() {
  M message{};
  FieldTypes types;
  M::fields(message, types);
  return types.names();
}

}  // namespace rowhouse::proto::test
