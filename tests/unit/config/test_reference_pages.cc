// The reference pages and the samples name every key, and the samples are good.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "config/host_schema.h"
#include "config/keys.h"
#include "config/manifest_schema.h"
#include "config/tenant_schema.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

std::string source(const std::string& name) {
  std::ifstream stream(std::string(ROWHOUSE_SOURCE) + "/" + name);
  REQUIRE_MESSAGE(stream.good(), name);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// Whether the page has `key` in code marks, or as a part of `part.key`.
bool is_documented(const std::string& page, const std::string& key) {
  return contains(page, "`" + key + "`") || contains(page, "." + key + "`") ||
         contains(page, "`" + key + ".");
}

void check_page(const std::string& name, std::span<const KeyTable* const> tables) {
  const std::string page = source(name);
  for (const KeyTable* table : tables) {
    for (const auto keys : {table->supported, table->later}) {
      for (const std::string_view key : keys) {
        CAPTURE(name);
        CAPTURE(key);
        CHECK(is_documented(page, std::string(key)));
      }
    }
  }
}

void check_sample(const std::string& name, std::span<const KeyTable* const> tables) {
  const std::string sample = source(name);
  for (const KeyTable* table : tables) {
    for (const std::string_view key : table->supported) {
      CAPTURE(name);
      CAPTURE(key);
      CHECK(contains(sample, std::string(key) + ":"));
    }
  }
}

}  // namespace

TEST_CASE("the reference pages name every key, also the planned ones") {
  check_page("docs/configuration.md", kHostTables);
  check_page("docs/configuration.md", kTenantTables);
  check_page("docs/manifest.md", kManifestTables);
}

TEST_CASE("the samples have every key and are good") {
  check_sample("etc/rowhouse.yaml", kHostTables);
  check_sample("etc/tenants.d/acme.yaml.sample", kTenantTables);
  check_sample("etc/manifest.yaml.sample", kManifestTables);
  const FixedUsers users;
  CHECK(sentences(source("etc/rowhouse.yaml"), [&](const Node& root, Diagnostics& diagnostics) {
          static_cast<void>(read_host_file(root, users, diagnostics));
        }) == "");
  CHECK(sentences(source("etc/tenants.d/acme.yaml.sample"), [&](const Node& root, Diagnostics& diagnostics) {
          static_cast<void>(read_tenant_file(root, "acme", users, diagnostics));
        }) == "");
  CHECK(sentences(source("etc/manifest.yaml.sample"), [&](const Node& root, Diagnostics& diagnostics) {
          static_cast<void>(read_manifest(root, {}, diagnostics));
        }) == "");
}

// A sample that says "default" must not lie.
TEST_CASE("the samples show the defaults") {
  Diagnostics diagnostics;
  const auto manifest = parse_yaml(source("etc/manifest.yaml.sample"), diagnostics);
  const auto smallest = parse_yaml("apps: {blog: {routes: [acme.example], wsgi: a:b}}", diagnostics);
  const proto::AppRecord shown = read_manifest(*manifest, {}, diagnostics).at(0).record;
  const proto::AppRecord plain = read_manifest(*smallest, {}, diagnostics).at(0).record;
  CHECK(shown.workers_min == plain.workers_min);
  CHECK(shown.workers_max == plain.workers_max);
  CHECK(shown.threads == plain.threads);
  CHECK(shown.body_bytes == plain.body_bytes);
  CHECK(shown.startup_ms == plain.startup_ms);
  CHECK(shown.request_ms == plain.request_ms);
  CHECK(shown.queue_ms == plain.queue_ms);
  CHECK(shown.graceful_ms == plain.graceful_ms);
  CHECK(shown.shutdown_ms == plain.shutdown_ms);
  const FixedUsers users;
  const auto host = parse_yaml(source("etc/rowhouse.yaml"), diagnostics);
  const auto little = parse_yaml("listen: [{http: '0.0.0.0:80'}]\nplans: {p: {memory: 1G}}\n", diagnostics);
  const HostFile a = read_host_file(*host, users, diagnostics),
                 b = read_host_file(*little, users, diagnostics);
  CHECK(a.host.gateway_processes == b.host.gateway_processes);
  CHECK(a.host.gateway_uid == b.host.gateway_uid);
  CHECK(a.host.control_uid == b.host.control_uid);
  CHECK(a.host.control_socket == b.host.control_socket);
  CHECK(a.host.tenants == b.host.tenants);
  CHECK(a.host.state == b.host.state);
  CHECK(a.host.run == b.host.run);
  CHECK(a.host.logs == b.host.logs);
  CHECK(a.host.uid_min == b.host.uid_min);
  CHECK(a.host.strict == b.host.strict);
  CHECK(a.host.cgroup_parent == b.host.cgroup_parent);
  CHECK(a.plans.at(0).record.pids == b.plans.at(0).record.pids);
  CHECK(a.plans.at(0).record.queue == b.plans.at(0).record.queue);
}
