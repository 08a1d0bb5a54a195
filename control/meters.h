// All meters: of each app and of each tenant, what they are now, and what has to be written down.  Pure bookkeeping:
// fed with samples (sampler.h), read by the metrics, emptied into the database (usage_store.h).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/bill.h"
#include "control/inquiries.h"
#include "control/meter.h"
#include "control/registry.h"

namespace rowhouse::control {

inline constexpr std::size_t kWorkerStates = static_cast<std::size_t>(proto::WorkerState::kDying) + 1;

struct AppMeter {
  Meter meter;
  proto::AppInfo info;
  std::array<std::uint32_t, kWorkerStates> workers{};
  proto::Usage usage;
  std::uint32_t in_flight = 0, queued = 0;
  bool sampled = false;  // by the last round or the one under way
  std::uint64_t round = 0;
};

struct TenantMeter {
  Meter meter;
  std::optional<proto::TenantUsage> told;
  std::int64_t sampled_at_ms = 0;  // 0: not since this program began
  std::uint32_t workers = 0, in_flight = 0;
  std::uint64_t round = 0;  // the last one in which the registry had it
};

// What changed since the last time that everything was written down.
struct Unwritten {
  Bills bills;
  std::set<AppName> apps;
  std::set<std::string> tenants;
  std::vector<AppName> gone_apps;
  std::vector<std::string> gone_tenants;
  std::vector<std::string> deaths;  // keys
  [[nodiscard]] bool empty() const {
    return bills.empty() && apps.empty() && tenants.empty() && gone_apps.empty() && gone_tenants.empty() &&
           deaths.empty();
  }
};

class Meters {
 public:
  // Between two samples memory counts as what the second says, but not for longer than this: nobody looked.
  static constexpr std::int64_t kMaxGapMs = 60'000;
  // An app or a tenant that no round has seen for so long is gone; before that it may only be late, as after a start.
  static constexpr std::uint64_t kRememberedRounds = 30;
  static constexpr std::size_t kRememberedApps = 64;  // of one tenant, of those that no round sees
  // Deaths whose repetition would be noticed; the supervisor repeats fewer.
  static constexpr std::size_t kMaxDeaths = 8192;

  // From the database, before the first sample.
  void restore_app(const AppName& name, Meter meter);
  void restore_tenant(const std::string& name, Meter meter);
  void restore_death(const std::string& key) { remember_death(key); }

  // Samples; times are wall times in ms.
  void take_app(const AppStatus& status, std::int64_t now_ms);
  void take_tenant(const proto::TenantUsage& usage, std::int64_t now_ms);
  // The last word of something that goes.
  void take_last_usage(const AppName& name, const proto::Usage& usage, std::int64_t now_ms);
  void take_last_traffic(const AppName& name, const proto::AppTraffic& traffic, std::int64_t now_ms);
  // A death that is told again is counted once.
  void add_death(const AppName& name, const proto::Death& death);
  // Every app that exists was sampled since the last call.
  void end_round(const Registry& registry);

  [[nodiscard]] const std::map<AppName, AppMeter>& apps() const { return apps_; }
  [[nodiscard]] const std::map<std::string, TenantMeter>& tenants() const { return tenants_; }
  [[nodiscard]] const Unwritten& unwritten() const { return unwritten_; }
  void set_written() { unwritten_ = {}; }

 private:
  Bill& bill_of(const std::string& tenant, std::int64_t now_ms);
  void hide(const AppName& name, AppMeter& app);
  void forget_apps();
  void forget_tenants(const Registry& registry);
  void charge_app(const AppName& name, const Counts& grown, std::int64_t now_ms);
  bool remember_death(const std::string& key);

  std::map<AppName, AppMeter> apps_;
  std::map<std::string, TenantMeter> tenants_;
  std::set<std::string> known_deaths_;
  std::deque<std::string> deaths_in_order_;
  std::uint64_t round_ = 1;
  Unwritten unwritten_;
};

}  // namespace rowhouse::control
