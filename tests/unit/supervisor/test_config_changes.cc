// What a reload finds changed, and how each change comes into force.
#include <doctest/doctest.h>

#include "supervisor/config_changes.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using proto::ConfigKey;
using proto::ReloadEffect;

namespace {

HostConfiguration host() {
  HostConfiguration configuration;
  configuration.plans["p"] = {
      .name = proto::Name::cut("p"), .memory_bytes = 1 << 30, .pids = 64, .workers = 2};
  configuration.pythons = {"3.11"};
  configuration.admins = {0};
  return configuration;
}

using Changes = std::vector<ConfigChange>;

}  // namespace

TEST_CASE("the same file changes nothing") {
  CHECK(compare_hosts(host(), host()).empty());
}

TEST_CASE("limits of a plan come into force live, its ceilings with a restart") {
  HostConfiguration fresh = host();
  fresh.plans["p"].memory_bytes = 1 << 29;
  fresh.plans["p"].io_write_bytes = 1 << 20;
  fresh.plans["p"].workers = 3;
  CHECK(compare_hosts(host(), fresh) == Changes{{"p", "", ConfigKey::kMemory, ReloadEffect::kAppliedLive},
                                                {"p", "", ConfigKey::kIo, ReloadEffect::kAppliedLive},
                                                {"p", "", ConfigKey::kWorkers, ReloadEffect::kNeedsRestart}});
}

TEST_CASE("every field of a plan is found when it changes") {
  const HostConfiguration now = host();
  // A later field of the record that nobody compares would be found as kOther; none is left today.
  HostConfiguration fresh = host();
  Plan& plan = fresh.plans["p"];
  plan.memory_high_bytes = plan.io_read_bytes = 1;
  plan.cpu_percent = plan.cpu_weight = plan.io_weight = plan.threads = plan.concurrency = plan.queue = 7;
  plan.pids = 65;
  for (const ConfigChange& change : compare_hosts(now, fresh)) CHECK(change.key != ConfigKey::kOther);
  CHECK(compare_hosts(now, fresh).size() == 9);
}

TEST_CASE("plans come and go live") {
  HostConfiguration fresh = host();
  fresh.plans["q"] = {};
  CHECK(compare_hosts(host(), fresh) == Changes{{"q", "", ConfigKey::kPlan, ReloadEffect::kAppliedLive}});
  CHECK(compare_hosts(fresh, host()) == Changes{{"q", "", ConfigKey::kPlan, ReloadEffect::kAppliedLive}});
}

TEST_CASE("what is outside the plans needs a new rowhoused, and each part is named once") {
  HostConfiguration fresh = host();
  fresh.host.gateway_processes = 3;
  fresh.host.strict = true;
  fresh.host.control_uid = 5;
  fresh.admins = {0, 1};
  fresh.pythons = {"3.12"};
  fresh.listen.resize(1);
  fresh.network.emplace();
  const Changes changes = compare_hosts(host(), fresh);
  for (const ConfigChange& change : changes) {
    CAPTURE(proto::config_key_name(change.key));
    const bool live = change.key == ConfigKey::kListen;
    CHECK(change.effect == (live ? ReloadEffect::kAppliedLive : ReloadEffect::kNeedsDaemonRestart));
  }
  std::set<ConfigKey> keys;
  for (const ConfigChange& change : changes) keys.insert(change.key);
  CHECK(keys == std::set<ConfigKey>{ConfigKey::kGateway, ConfigKey::kIsolation, ConfigKey::kControl,
                                    ConfigKey::kPythons, ConfigKey::kListen, ConfigKey::kNetwork});
  CHECK(changes.size() == keys.size());
}

TEST_CASE("a plan that a tenant has cannot go") {
  TenantIndex tenants;
  TenantEntry acme;
  acme.name = "acme";
  acme.plan = "p";
  tenants.add(acme);
  CHECK_FALSE(check_plans_in_use(host(), tenants));
  HostConfiguration fresh = host();
  fresh.plans.clear();
  const auto problem = check_plans_in_use(fresh, tenants);
  REQUIRE(problem);
  CHECK(problem->sentence.find("plan \"p\" is missing, and tenant acme has it") != std::string::npos);
}

TEST_CASE("a tenant's new plan is told limit by limit, and every other difference by its name") {
  HostConfiguration both = host();
  both.plans["q"] = both.plans["p"];
  both.plans["q"].name = proto::Name::cut("q");
  both.plans["q"].memory_bytes = 1 << 29;
  both.plans["q"].workers = 3;
  TenantEntry now;
  now.name = "acme";
  now.plan = "p";
  TenantEntry fresh = now;
  CHECK(compare_tenants(now, fresh, both).empty());
  fresh.plan = "q";
  CHECK(compare_tenants(now, fresh, both) == Changes{{"", "acme", ConfigKey::kPlan, ReloadEffect::kAppliedLive},
                                                     {"q", "acme", ConfigKey::kMemory, ReloadEffect::kAppliedLive},
                                                     {"q", "acme", ConfigKey::kWorkers, ReloadEffect::kNeedsRestart}});
  fresh = now;
  fresh.home = "/x";
  fresh.manifest = "m";
  fresh.domains = {{"a.test", false}};
  fresh.suspensions[""] = "";
  fresh.network.emplace().mode = proto::NetworkMode::kPrivate;
  std::vector<ConfigKey> keys;
  for (const ConfigChange& change : compare_tenants(now, fresh, both)) keys.push_back(change.key);
  CHECK(keys == std::vector<ConfigKey>{ConfigKey::kHome, ConfigKey::kManifest, ConfigKey::kDomains, ConfigKey::kNetwork,
                                       ConfigKey::kSuspended});
}
