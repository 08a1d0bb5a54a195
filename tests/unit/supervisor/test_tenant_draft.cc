// Tenants that the API writes: what control sends is collected, merged, checked, and formatted.
#include <doctest/doctest.h>

#include "supervisor/tenant_draft.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using proto::SuspensionChange;
using proto::TenantKey;
using proto::TenantWriteMode;

namespace {

HostConfiguration host() {
  HostConfiguration configuration;
  configuration.host.uid_min = 1000;
  configuration.host.gateway_uid = configuration.host.gateway_gid = 900;
  configuration.host.control_uid = configuration.host.control_gid = 901;
  configuration.plans["starter"] = {.name = proto::Name::cut("starter")};
  configuration.plans["pro"] = {.name = proto::Name::cut("pro")};
  return configuration;
}

TenantOrder order() {
  TenantOrder made;
  made.draft.request = 7;
  made.draft.tenant = proto::Name::cut("acme");
  made.draft.uid = made.draft.gid = 2001;
  made.draft.home = proto::Path::cut("/home/acme");
  made.draft.plan = proto::Name::cut("starter");
  made.draft.has_domains = true;
  made.domains = {{"acme.test", false}, {"acme.test", true}};
  return made;
}

TenantEntry merged(const TenantOrder& wanted, const TenantEntry* current = nullptr) {
  auto found = merge_order(wanted, current);
  REQUIRE(std::holds_alternative<TenantEntry>(found));
  return std::get<TenantEntry>(found);
}

TenantKey refused_key(const TenantOrder& wanted, const TenantEntry* current = nullptr) {
  auto found = merge_order(wanted, current);
  if (auto* problem = std::get_if<Problem>(&found)) return problem->key;
  const auto problem = check_wanted(std::get<TenantEntry>(found), host(), {});
  REQUIRE(problem);
  return problem->key;
}

}  // namespace

TEST_CASE("a draft is whole when all its domains came") {
  TenantDrafts drafts;
  drafts.begin(order().draft);
  drafts.add({7, proto::Host::cut("acme.test"), false});
  drafts.add({7, proto::Host::cut("acme.test"), true});
  const auto found = drafts.finish({7, 2});
  REQUIRE(found);
  CHECK(found->domains == order().domains);
  CHECK_FALSE(drafts.finish({7, 2}));
}

TEST_CASE("what is no whole draft is forgotten") {
  TenantDrafts drafts;
  CHECK_FALSE(drafts.finish({7, 0}));
  drafts.begin(order().draft);
  CHECK_FALSE(drafts.finish({8, 0}));
  drafts.begin(order().draft);
  CHECK_FALSE(drafts.finish({7, 1}));
  drafts.begin(order().draft);
  drafts.add({8, proto::Host::cut("x.test"), false});
  CHECK_FALSE(drafts.finish({7, 0}));
  drafts.begin(order().draft);
  for (std::uint32_t i = 0; i <= proto::kMaxDomainsPerTenant; ++i) drafts.add({7, proto::Host::cut("x.test"), false});
  CHECK_FALSE(drafts.finish({7, proto::kMaxDomainsPerTenant + 1}));
}

TEST_CASE("a replacement has what the draft has, and keeps what only its own calls change") {
  TenantEntry current = merged(order());
  current.suspensions = {{"", "unpaid"}};
  current.network = NetworkAccess{proto::NetworkMode::kPrivate, {"/run/db/db.sock"}, {}};
  TenantOrder renewed = order();
  renewed.draft.plan = proto::Name::cut("pro");
  renewed.draft.has_domains = false;
  renewed.domains.clear();
  const TenantEntry wanted = merged(renewed, &current);
  CHECK(wanted.plan == "pro");
  CHECK(wanted.domains.empty());
  CHECK(wanted.manifest == "rowhouse.yaml");
  CHECK(wanted.suspensions == current.suspensions);
  CHECK(wanted.network == current.network);
}

TEST_CASE("a change touches what it names") {
  const TenantEntry current = merged(order());
  TenantOrder change;
  change.draft.tenant = proto::Name::cut("acme");
  change.draft.mode = TenantWriteMode::kChange;
  change.draft.suspension = SuspensionChange::kSuspend;
  change.draft.reason = proto::SuspensionReason::cut("abuse");
  TenantEntry wanted = merged(change, &current);
  CHECK(wanted.suspensions == std::map<std::string, std::string>{{"", "abuse"}});
  CHECK(wanted.domains == current.domains);
  change.draft.suspension = SuspensionChange::kLift;
  wanted = merged(change, &wanted);
  CHECK(wanted == current);
  change.draft.uid = 2002;
  CHECK(refused_key(change, &current) == TenantKey::kUser);
  change.draft.uid = 0;
  CHECK(refused_key(change) == TenantKey::kTenant);
}

TEST_CASE("what is missing or cannot be is named") {
  const auto broken = [](auto&& breaks) {
    TenantOrder made = order();
    breaks(made);
    return refused_key(made);
  };
  CHECK(broken([](auto& o) { o.draft.tenant = proto::Name::cut("../x"); }) == TenantKey::kTenant);
  CHECK(broken([](auto& o) { o.draft.uid = 0; }) == TenantKey::kUid);
  CHECK(broken([](auto& o) { o.draft.gid = 0; }) == TenantKey::kGid);
  CHECK(broken([](auto& o) { o.draft.uid = 999; }) == TenantKey::kUid);
  CHECK(broken([](auto& o) { o.draft.gid = 999; }) == TenantKey::kGid);
  CHECK(broken([](auto& o) { o.draft.home = {}; }) == TenantKey::kHome);
  CHECK(broken([](auto& o) { o.draft.home = proto::Path::cut("/home/../etc"); }) == TenantKey::kHome);
  CHECK(broken([](auto& o) { o.draft.home = proto::Path::cut("/home/a\nplan: x"); }) == TenantKey::kHome);
  CHECK(broken([](auto& o) { o.draft.user = proto::Name::cut("acme"); }) == TenantKey::kUser);
  CHECK(broken([](auto& o) { o.draft.plan = {}; }) == TenantKey::kPlan);
  CHECK(broken([](auto& o) { o.draft.plan = proto::Name::cut("gold"); }) == TenantKey::kPlan);
  CHECK(broken([](auto& o) { o.draft.manifest = proto::Path::cut("../x"); }) == TenantKey::kManifest);
  CHECK(broken([](auto& o) { o.domains[1].host = "not a host"; }) == TenantKey::kDomains);
  CHECK(broken([](auto& o) {
          o.draft.suspension = SuspensionChange::kSuspend;
          o.draft.reason = proto::SuspensionReason::cut("a\nb");
        }) == TenantKey::kSuspended);
}

TEST_CASE("a domain of somebody else is refused under its number") {
  TenantIndex accepted;
  TenantEntry other = merged(order());
  other.name = "globex";
  other.uid = other.gid = 3000;
  other.domains = {{"acme.test", true}};
  accepted.add(other);
  const auto problem = check_wanted(merged(order()), host(), accepted);
  REQUIRE(problem);
  CHECK(problem->key == TenantKey::kDomains);
  CHECK(problem->index == 1);
}

TEST_CASE("the file says the same in quotes that nothing escapes from") {
  TenantEntry wanted = merged(order());
  wanted.home = "/home/o'neil # \"x\": {";
  wanted.suspensions = {{"", "it's 'May'"}};
  wanted.network = NetworkAccess{proto::NetworkMode::kHost, {"/run/db/db.sock"}, {5432}};
  CHECK(format_tenant_file(wanted) ==
        "# Written through the API of Rowhouse, which writes the whole file with every change.\n"
        "uid: 2001\ngid: 2001\nhome: '/home/o''neil # \"x\": {'\nplan: 'starter'\nmanifest: 'rowhouse.yaml'\n"
        "domains:\n  - 'acme.test'\n  - '*.acme.test'\n"
        "network:\n  mode: host\n  sockets:\n    - '/run/db/db.sock'\n  connect:\n    - 5432\n"
        "suspended:\n  reason: 'it''s ''May'''\n");
  wanted.suspensions = {{"blog", ""}, {"shop", ""}};
  CHECK(format_tenant_file(wanted).ends_with("suspended:\n  reason: ''\n  apps:\n    - 'blog'\n    - 'shop'\n"));
  wanted.suspensions = {{"", ""}};
  CHECK(format_tenant_file(wanted).ends_with("\nsuspended: true\n"));
  TenantOrder named = order();
  named.draft.uid = named.draft.gid = 0;
  named.draft.home = {};
  named.draft.user = proto::Name::cut("acme");
  named.domains.clear();
  CHECK(format_tenant_file(merged(named)).find("user: 'acme'\nplan: 'starter'\nmanifest: 'rowhouse.yaml'\ndomains: []\n") !=
        std::string::npos);
}

TEST_CASE("what the loader reads back must be what was meant") {
  const TenantEntry wanted = merged(order());
  CHECK_FALSE(compare_with_wanted(wanted, wanted));
  const auto differs = [&](auto&& change) {
    TenantEntry read = wanted;
    change(read);
    const auto problem = compare_with_wanted(wanted, read);
    REQUIRE(problem);
    return problem->key;
  };
  CHECK(differs([](auto& e) { e.uid = 1; }) == TenantKey::kUid);
  CHECK(differs([](auto& e) { e.gid = 1; }) == TenantKey::kGid);
  CHECK(differs([](auto& e) { e.home = "/"; }) == TenantKey::kHome);
  CHECK(differs([](auto& e) { e.plan = "pro"; }) == TenantKey::kPlan);
  CHECK(differs([](auto& e) { e.manifest = "x"; }) == TenantKey::kManifest);
  CHECK(differs([](auto& e) { e.domains.pop_back(); }) == TenantKey::kDomains);
  CHECK(differs([](auto& e) { e.suspensions[""] = ""; }) == TenantKey::kSuspended);
  CHECK(differs([](auto& e) { e.network.emplace(); }) == TenantKey::kNone);
}
