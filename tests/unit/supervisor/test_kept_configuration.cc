// What is in force, as bytes: read back it is the same, and bytes that cannot be are nothing.
#include <doctest/doctest.h>

#include "supervisor/kept_configuration.h"
#include "supervisor/spec_change.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

HostConfiguration sample_host() {
  HostConfiguration host;
  host.host.gateway_uid = host.host.gateway_gid = 801;
  host.host.control_uid = host.host.control_gid = 802;
  host.host.run = proto::Path::cut("/run/rowhouse");
  host.network = NetworkAccess{proto::NetworkMode::kHost, {"/run/db/sock"}, {5432}};
  host.listen.push_back({false, {127, 0, 0, 1}, 8080});
  host.admins = {0, 1234};
  host.pythons = {"3.11"};
  host.privileged_groups[27] = "sudo";
  proto::PlanRecord plan;
  plan.name = proto::Name::cut("starter");
  plan.workers = 2;
  host.plans["starter"] = plan;
  host.plan_networks["starter"] = NetworkAccess{proto::NetworkMode::kPrivate, {}, {}};
  return host;
}

TenantEntry sample_tenant() {
  TenantEntry tenant;
  tenant.name = "acme";
  tenant.user = "acme";
  tenant.uid = tenant.gid = 2001;
  tenant.home = "/home/acme";
  tenant.plan = "starter";
  tenant.manifest = "rowhouse.yaml";
  tenant.domains = {{"acme.example", false}, {"acme.example", true}};
  tenant.network = NetworkAccess{proto::NetworkMode::kHost, {}, {443}};
  tenant.suspensions = {{"blog", "spam"}, {"shop", ""}};
  return tenant;
}

TEST_CASE("a host is read back as it was") {
  const HostConfiguration host = sample_host();
  const auto read = decode_host(as_bytes(encode_host(host)));
  REQUIRE(read);
  CHECK(read->host.run.view() == "/run/rowhouse");
  CHECK(read->network == host.network);
  CHECK(read->listen.size() == 1);
  CHECK(read->admins == host.admins);
  CHECK(read->pythons == host.pythons);
  CHECK(read->privileged_groups == host.privileged_groups);
  CHECK(read->plans.at("starter").workers == 2);
  CHECK(read->plan_networks.at("starter") == host.plan_networks.at("starter"));
  CHECK(encode_host(*read) == encode_host(host));
}

TEST_CASE("a tenant is read back as it was, and only beside tenants that leave room for it") {
  const HostConfiguration host = sample_host();
  const std::string bytes = encode_tenant(sample_tenant());
  TenantIndex accepted;
  const auto read = decode_tenant(as_bytes(bytes), host, accepted);
  REQUIRE(read);
  CHECK(*read == sample_tenant());
  CHECK(read->domains == sample_tenant().domains);
  CHECK(read->network == sample_tenant().network);
  CHECK(read->suspensions == sample_tenant().suspensions);
  CHECK(encode_tenant(*read) == bytes);
  TenantEntry free = sample_tenant();
  free.suspensions.clear();
  CHECK(decode_tenant(as_bytes(encode_tenant(free)), host, accepted)->suspensions.empty());
  free.suspensions = {{"", "unpaid"}};
  CHECK(decode_tenant(as_bytes(encode_tenant(free)), host, accepted)->suspends("site"));
  TenantEntry other = sample_tenant();
  other.name = "globex";
  accepted.add(std::move(other));
  CHECK_FALSE(decode_tenant(as_bytes(bytes), host, accepted));
}

TEST_CASE("an app is read back with room for its descriptors") {
  AppSpec spec;
  spec.settings.name = proto::Name::cut("site");
  spec.settings.workers_min = 0;
  spec.settings.workers_max = 3;
  spec.settings.idle_ms = 4;
  spec.settings.max_requests = 5;
  spec.settings.max_lifetime_ms = 6;
  spec.settings.max_memory_bytes = 7;
  spec.settings.health_path = proto::Path::cut("/healthz");
  spec.settings.health_interval_ms = 8;
  spec.settings.health_ms = 9;
  spec.routes.push_back({"*.acme.example", "/blog"});
  spec.statics.push_back({"/static/", UniqueFd()});
  spec.touches = {"blog/tmp/restart.txt", "blog/wsgi.py"};
  const std::string bytes = encode_app(spec);
  const auto read = decode_app(as_bytes(bytes));
  REQUIRE(read);
  CHECK(read->settings.workers_min == 0);
  CHECK(read->settings.workers_max == 3);
  CHECK(read->settings.idle_ms == 4);
  CHECK(read->settings.max_requests == 5);
  CHECK(read->settings.max_lifetime_ms == 6);
  CHECK(read->settings.max_memory_bytes == 7);
  CHECK(read->settings.health_path.view() == "/healthz");
  CHECK(read->settings.health_interval_ms == 8);
  CHECK(read->settings.health_ms == 9);
  CHECK(compare_specs(spec, *read) == SpecChange::kLive);  // for its static directories alone
  CHECK(read->routes == spec.routes);
  CHECK(read->statics.size() == 1);
  CHECK(read->touches == spec.touches);
  CHECK(encode_app(*read) == bytes);
}

TEST_CASE("bytes that are cut anywhere are nothing, or something shorter that is whole") {
  const std::string host = encode_host(sample_host());
  const std::string tenant = encode_tenant(sample_tenant());
  for (std::size_t size = 0; size < tenant.size(); ++size) {
    const auto read = decode_tenant(as_bytes(std::string_view(tenant).substr(0, size)), sample_host(), {});
    if (read) CHECK(tenant.starts_with(encode_tenant(*read)));
  }
  CHECK_FALSE(decode_host(as_bytes(std::string_view(host).substr(0, 100))));
  CHECK_FALSE(decode_host({}));
  CHECK_FALSE(decode_app({}));
  CHECK_FALSE(decode_app(as_bytes(host)));
}

}  // namespace
