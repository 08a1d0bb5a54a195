// The rules that root checks itself (THREATS S05, S22, A06, A08, A09).
#include <doctest/doctest.h>

#include "records.h"
#include "supervisor/kept_configuration.h"
#include "supervisor/registry.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

HostConfiguration host() {
  HostConfiguration configuration;
  configuration.host.uid_min = 1000;
  configuration.host.gateway_uid = 2001;
  configuration.host.gateway_gid = 2001;
  configuration.host.control_uid = 2002;
  configuration.host.control_gid = 2002;
  configuration.pythons = {"3.11"};
  configuration.plans["starter"] = {.memory_bytes = 256 << 20,
                                    .cpu_percent = 50,
                                    .pids = 64,
                                    .workers = 2,
                                    .threads = 8,
                                    .concurrency = 20,
                                    .queue = 50};
  return configuration;
}

proto::TenantRecord tenant_record(std::uint32_t uid, std::uint32_t gid) {
  proto::TenantRecord tenant;
  tenant.user = proto::Name::cut("acme");
  tenant.uid = uid;
  tenant.gid = gid;
  tenant.home = proto::Path::cut("/home/acme");
  tenant.plan = proto::Name::cut("starter");
  tenant.manifest = proto::Path::cut("rowhouse.yaml");
  return tenant;
}

std::string refusal(const proto::TenantRecord& tenant, const TenantIndex& accepted = {}) {
  std::vector<proto::IncomingMessage> records;
  records.push_back(record(tenant));
  const auto result = read_tenant_records("acme", records, host(), accepted);
  const auto* problem = std::get_if<Problem>(&result);
  return problem == nullptr ? "" : problem->sentence;
}

TenantEntry acme() {
  TenantEntry tenant;
  tenant.name = "acme";
  tenant.uid = 3000;
  tenant.gid = 3000;
  tenant.plan = "starter";
  tenant.home = "/home/acme";
  tenant.manifest = "rowhouse.yaml";
  tenant.domains = {{"acme.example", false}, {"acme.example", true}};
  return tenant;
}

proto::AppRecord app_record(const char* name) {
  proto::AppRecord app;
  app.name = proto::Name::cut(name);
  app.python = proto::Text<15>::cut("3.11");
  app.startup_ms = app.request_ms = app.queue_ms = app.graceful_ms = app.shutdown_ms = app.idle_ms =
      app.health_ms = 1000;
  return app;
}

proto::RouteRecord route_record(const char* host_name, const char* prefix) {
  return {proto::Host::cut(host_name), proto::Prefix::cut(prefix)};
}

template <typename... Records>
std::string manifest_refusal(const Records&... given) {
  std::vector<proto::IncomingMessage> records;
  (records.push_back(record(given)), ...);
  const auto result = read_manifest_records(records, acme(), host());
  const auto* problem = std::get_if<Problem>(&result);
  return problem == nullptr ? "" : problem->sentence;
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an ordinary tenant is accepted") {
  CHECK(refusal(tenant_record(3000, 3000)) == "");
}

TEST_CASE("uids and gids that no tenant may have are refused") {
  for (const std::uint32_t id : {0u, 65534u, 65535u, 4294967295u, 999u, 2001u, 2002u}) {
    CAPTURE(id);
    CHECK(refusal(tenant_record(id, 3000)) != "");
    CHECK(refusal(tenant_record(3000, id)) != "");
  }
}

TEST_CASE("a group with power over the host is refused by its name, whatever its number") {
  HostConfiguration configuration = host();
  configuration.privileged_groups = {{3001, "docker"}};
  CHECK_FALSE(check_identity(3000, 3000, configuration));
  const auto problem = check_identity(3000, 3001, configuration);
  REQUIRE(problem);
  CHECK(has(problem->sentence, "gid 3001 is the host's group docker"));
}

TEST_CASE("a uid below the minimum is named with the minimum") {
  CHECK(has(refusal(tenant_record(500, 3000)), "uid 500 is below uids.min (1000)"));
}

TEST_CASE("a uid or gid of another tenant is refused") {
  TenantIndex accepted;
  TenantEntry other = acme();
  other.name = "other";
  accepted.add(other);
  CHECK(has(refusal(tenant_record(3000, 3001), accepted), "tenant other"));
  CHECK(has(refusal(tenant_record(3001, 3000), accepted), "tenant other"));
  CHECK(refusal(tenant_record(3001, 3001), accepted) == "");
}

TEST_CASE("a domain of another tenant is refused") {
  TenantIndex accepted;
  TenantEntry other = acme();
  other.name = "other";
  accepted.add(other);
  std::vector<proto::IncomingMessage> records;
  records.push_back(record(tenant_record(3001, 3001)));
  records.push_back(record(proto::DomainRecord{proto::Host::cut("acme.example"), true}));
  const auto result = read_tenant_records("acme", records, host(), accepted);
  REQUIRE(std::holds_alternative<Problem>(result));
  CHECK(has(std::get<Problem>(result).sentence, "acme.example belongs to tenant other"));
}

TEST_CASE("homes must be absolute and without dot-dot, manifests below them") {
  auto tenant = tenant_record(3000, 3000);
  for (const char* home : {"home/acme", "/home/acme/../b", "/", ""}) {
    tenant.home = proto::Path::cut(home);
    CHECK(refusal(tenant) != "");
  }
  tenant = tenant_record(3000, 3000);
  for (const char* manifest : {"/etc/passwd", "../b/rowhouse.yaml", "a/../../x", ""}) {
    tenant.manifest = proto::Path::cut(manifest);
    CHECK(refusal(tenant) != "");
  }
}

TEST_CASE("an unknown plan is named") {
  auto tenant = tenant_record(3000, 3000);
  tenant.plan = proto::Name::cut("gold");
  CHECK(has(refusal(tenant), "plan \"gold\" does not exist"));
}

TEST_CASE("a manifest within the plan is accepted") {
  CHECK(manifest_refusal(app_record("site"), route_record("acme.example", "")) == "");
  CHECK(manifest_refusal(app_record("site"), route_record("www.acme.example", "/blog")) == "");
  CHECK(manifest_refusal(app_record("site"), route_record("*.acme.example", "")) == "");
}

TEST_CASE("a manifest cannot ask for more than the plan") {
  auto app = app_record("site");
  app.workers_max = 3;
  CHECK(has(manifest_refusal(app), "workers 3 is more than the 2"));
  app = app_record("site");
  app.threads = 9;
  CHECK(has(manifest_refusal(app), "threads 9"));
  app = app_record("site");
  app.memory_bytes = 1ull << 40;
  CHECK(has(manifest_refusal(app), "limits.memory"));
  app = app_record("site");
  app.cpu_percent = 51;
  CHECK(has(manifest_refusal(app), "limits.cpu (percent) 51 is more than the 50 of plan \"starter\""));
  app.cpu_percent = 50;
  app.pids = 65;
  CHECK(has(manifest_refusal(app), "limits.pids 65 is more than the 64 of plan \"starter\""));
  app.pids = 64;
  CHECK(manifest_refusal(app) == "");
  auto two = app_record("a");
  two.workers_max = 2;
  CHECK(has(manifest_refusal(two, app_record("b")), "3 workers together"));
}

TEST_CASE("a route outside the tenant's domains is refused") {
  for (const char* name : {"globex.example", "acme.example.evil.example", "evilacme.example", "example"}) {
    CAPTURE(name);
    CHECK(has(manifest_refusal(app_record("site"), route_record(name, "")), "not under a domain"));
  }
}

TEST_CASE("shapes that a loader of ours never sends are refused") {
  CHECK(manifest_refusal(route_record("acme.example", "")) != "");
  CHECK(manifest_refusal(app_record("../x")) != "");
  CHECK(manifest_refusal(app_record("cgroup.procs")) != "");
  CHECK(manifest_refusal(app_record("site"), app_record("site")) != "");
  for (const char* prefix : {"/", "a", "/a/", "/../b", "/a/./b", "/a//b", "/a%2f", "/a b", "/a\nb"}) {
    CAPTURE(prefix);
    CHECK(manifest_refusal(app_record("site"), route_record("acme.example", prefix)) != "");
  }
  auto app = app_record("site");
  app.threads = 0;
  CHECK(manifest_refusal(app) != "");
  app = app_record("site");
  app.workers_min = 2;
  app.workers_max = 1;
  CHECK(manifest_refusal(app) != "");
  app = app_record("site");
  app.workers_min = app.workers_max = 0;
  CHECK(manifest_refusal(app) != "");
  for (const char* path : {"healthz", "/a b", "/../x", "//", "/a\r\nHost: x"}) {
    CAPTURE(path);
    app = app_record("site");
    app.health_path = proto::Path::cut(path);
    CHECK(manifest_refusal(app) != "");
  }
}

TEST_CASE("files to look at lie below the home, and are few") {
  const auto touch = [](std::string_view path) { return proto::TouchRecord{proto::Path::cut(path)}; };
  const auto site = app_record("site");
  CHECK(manifest_refusal(site, touch("tmp/restart.txt"), touch("a b/app.wsgi")) == "");
  for (const std::string_view path : {"", "/etc/passwd", "../b", "a/../b", "a//b", "./a", "a/"}) {
    CAPTURE(path);
    CHECK(manifest_refusal(site, touch(path)) != "");
  }
  CHECK(manifest_refusal(touch("a")) != "");
  const auto one = touch("a");
  CHECK(manifest_refusal(site, one, one, one, one) == "");
  CHECK(manifest_refusal(site, one, one, one, one, one) != "");
  CHECK(has(manifest_refusal(site, touch(std::string(proto::kMaxPathBytes, 'x'))), "too long"));
}

TEST_CASE("the apps of a share become one, under the name of the first") {
  const auto in_share = [](std::string_view name) { return proto::ShareRecord{proto::Name::cut(name)}; };
  std::vector<proto::IncomingMessage> records;
  for (const char* name : {"zoo", "ark", "site"}) {
    auto app = app_record(name);
    app.threads = name[0] == 'z' ? 3 : 2;
    records.push_back(record(app));
    if (name[0] != 's') records.push_back(record(in_share("web")));
    records.push_back(record(route_record("acme.example", (std::string("/") + name).c_str())));
    records.push_back(record(proto::TouchRecord{proto::Path::cut(std::string(name) + "/app.py")}));
  }
  const auto result = read_manifest_records(records, acme(), host());
  REQUIRE(std::holds_alternative<std::map<std::string, AppSpec>>(result));
  const auto& apps = std::get<std::map<std::string, AppSpec>>(result);
  REQUIRE(apps.size() == 2);
  const AppSpec& web = apps.at("ark");
  REQUIRE(web.fronts().size() == 2);
  CHECK(web.fronts()[1]->settings.name.view() == "zoo");
  CHECK(web.fronts()[1]->settings.threads == 3);
  CHECK(web.fronts()[1]->routes == std::vector<Route>{{"acme.example", "/zoo"}});
  CHECK(web.touches == std::vector<std::string>{"ark/app.py", "zoo/app.py"});
  CHECK(find_spec(apps, "zoo") == &web);
  CHECK(find_spec(apps, "nowhere") == nullptr);
  CHECK_FALSE(same_apps(web, apps.at("site")));
  const auto decoded = decode_app(as_bytes(encode_app(web)));
  REQUIRE(decoded);
  CHECK(same_apps(web, *decoded));
  CHECK(encode_app(*decoded) == encode_app(web));
}

TEST_CASE("a share counts its workers once, and its apps must fit together whatever the loader says") {
  const auto web = proto::ShareRecord{proto::Name::cut("web")};
  auto two = app_record("a");
  two.workers_min = two.workers_max = 2;
  auto other = two;
  other.name = proto::Name::cut("b");
  CHECK(manifest_refusal(two, web, other, web) == "");
  CHECK(manifest_refusal(two, other) != "");  // four workers
  other.workers_min = 1;
  CHECK(has(manifest_refusal(two, web, other, web), "app b: it does not fit into share web"));
  other = two;
  other.name = proto::Name::cut("b");
  other.memory_bytes = 1 << 20;
  CHECK(has(manifest_refusal(two, web, other, web), "does not fit"));
  auto preloading = two, also = two;
  preloading.preload = also.preload = true;
  also.name = proto::Name::cut("b");
  CHECK(has(manifest_refusal(preloading, web, also, web), "does not fit"));
  auto checked = two, checked_too = two;
  checked.health_path = checked_too.health_path = proto::Path::cut("/h");
  checked_too.name = proto::Name::cut("b");
  CHECK(has(manifest_refusal(checked, web, checked_too, web), "one health check only"));
  CHECK(manifest_refusal(two, web, web) != "");
  CHECK(manifest_refusal(web) != "");
  CHECK(manifest_refusal(two, proto::ShareRecord{proto::Name::cut("../x")}) != "");
}

TEST_CASE("a tenant file may say once that the tenant is suspended, or each of some apps") {
  const proto::SuspensionRecord unpaid{{}, proto::SuspensionReason::cut("unpaid")};
  const proto::SuspensionRecord spam{proto::Name::cut("shop"), proto::SuspensionReason::cut("spam")};
  std::vector<proto::IncomingMessage> records;
  records.push_back(record(tenant_record(3000, 3000)));
  records.push_back(record(unpaid));
  const auto once = read_tenant_records("acme", records, host(), {});
  REQUIRE(std::holds_alternative<TenantEntry>(once));
  CHECK(std::get<TenantEntry>(once).suspends("anything"));
  CHECK(std::get<TenantEntry>(once).suspensions == std::map<std::string, std::string>{{"", "unpaid"}});
  const auto refused = [&](const proto::SuspensionRecord& further) {
    records.push_back(record(further));
    const bool is = std::holds_alternative<Problem>(read_tenant_records("acme", records, host(), {}));
    records.pop_back();
    return is;
  };
  CHECK(refused(unpaid));
  CHECK(refused(spam));
  records.back() = record(spam);
  const auto one_app = read_tenant_records("acme", records, host(), {});
  REQUIRE(std::holds_alternative<TenantEntry>(one_app));
  CHECK(std::get<TenantEntry>(one_app).suspends("shop"));
  CHECK_FALSE(std::get<TenantEntry>(one_app).suspends("blog"));
  CHECK(refused(spam));
  CHECK(refused(unpaid));
  CHECK(refused({proto::Name::cut("../x"), {}}));
  CHECK_FALSE(refused({proto::Name::cut("blog"), {}}));
}

TEST_CASE("names, hosts and prefixes have one shape") {
  CHECK(is_name("acme-2"));
  for (const char* name : {"", "-a", "A", "a.b", "a/b", "..", "tasks\n"}) CHECK_FALSE(is_name(name));
  CHECK_FALSE(is_name(std::string(64, 'a')));
  CHECK(is_host("acme.example"));
  for (const char* name : {"", ".", "a..b", "a.", "-a.b", "A.b", "a_b", "*.a", "a:80"})
    CHECK_FALSE(is_host(name));
  CHECK(is_route_prefix(""));
  CHECK(is_route_prefix("/a/b"));
}

TEST_CASE("a wildcard domain owns what is below it and the wildcard itself") {
  const std::vector<Domain> wildcard = {{"acme.example", true}};
  CHECK(owns_host(wildcard, "a.acme.example"));
  CHECK(owns_host(wildcard, "a.b.acme.example"));
  CHECK(owns_host(wildcard, "*.acme.example"));
  CHECK_FALSE(owns_host(wildcard, "acme.example"));
  const std::vector<Domain> exact = {{"acme.example", false}};
  CHECK(owns_host(exact, "acme.example"));
  CHECK_FALSE(owns_host(exact, "a.acme.example"));
  CHECK_FALSE(owns_host(exact, "*.acme.example"));
}

TEST_CASE("a tenant in force may change its file but not its ids") {
  TenantIndex accepted;
  TenantEntry known = acme();
  accepted.add(known);
  CHECK(refusal(tenant_record(3000, 3000), accepted).empty());
  CHECK(refusal(tenant_record(3001, 3000), accepted).find("keeps its uid 3000") != std::string::npos);
  CHECK(refusal(tenant_record(3000, 3001), accepted).find("keeps its uid 3000") != std::string::npos);
}
