// `network:`, read through the host file, where all three places of it can stand.
#include <doctest/doctest.h>

#include <string>

#include "config/host_schema.h"
#include "config/network_schema.h"
#include "config/tenant_schema.h"
#include "config/yaml_tree.h"
#include "sentences.h"

namespace rowhouse::config {
namespace {

constexpr std::string_view kStart = "listen: [{ http: '127.0.0.1:80' }]\nplans: { p: { memory: 64M } }\n";

HostFile read(const std::string& network, Diagnostics& diagnostics) {
  const auto root = parse_yaml(std::string(kStart) + "isolation:\n  network: " + network + "\n", diagnostics);
  REQUIRE(root);
  return read_host_file(*root, FixedUsers(), diagnostics);
}

Network good(const std::string& network) {
  Diagnostics diagnostics;
  const HostFile file = read(network, diagnostics);
  CHECK(diagnostics.lines("f") == std::vector<std::string>{});
  return file.network;
}

std::string refused(const std::string& network) {
  Diagnostics diagnostics;
  read(network, diagnostics);
  REQUIRE(diagnostics.lines("f").size() == 1);
  return diagnostics.lines("f")[0];
}

}  // namespace

TEST_CASE("a network is one word or a map") {
  CHECK(good("host").record.mode == proto::NetworkMode::kHost);
  CHECK(good("private").record.mode == proto::NetworkMode::kPrivate);
  const Network full = good("{ mode: host, sockets: [/run/mysqld/mysqld.sock], connect: [443, 5432] }");
  REQUIRE(full.sockets.size() == 1);
  CHECK(full.sockets[0].path.view() == "/run/mysqld/mysqld.sock");
  REQUIRE(full.ports.size() == 2);
  CHECK(full.ports[0].port == 443);
  CHECK(full.ports[1].port == 5432);
  const Network closed = good("{ mode: private, sockets: [/run/a/b, /var/lib/c/d] }");
  CHECK(closed.record.mode == proto::NetworkMode::kPrivate);
  CHECK(closed.sockets.size() == 2);
}

TEST_CASE("what is no network is refused where it stands") {
  CHECK(refused("none") == "f:4:12: \"network\" must be host or private, not \"none\"");
  CHECK(refused("{ mode: open }") == "f:4:20: \"mode\" must be host or private, not \"open\"");
  CHECK(refused("{ sockets: [/run/a/b] }").find("the key \"mode\" is missing") != std::string::npos);
  CHECK(refused("{ mode: host, port: [1] }").find("unknown key \"port\"") != std::string::npos);
  CHECK(refused("{ mode: private, connect: [80] }") ==
        "f:4:38: \"connect\" is for mode host: from a private network no port can be reached");
}

TEST_CASE("ports are exact and listed once") {
  CHECK(refused("{ mode: host, connect: [0] }").find("from 1 to 65535") != std::string::npos);
  CHECK(refused("{ mode: host, connect: [65536] }").find("from 1 to 65535") != std::string::npos);
  CHECK(refused("{ mode: host, connect: ['80'] }").find("without quotes") != std::string::npos);
  CHECK(refused("{ mode: host, connect: [80, 80] }").find("lists 80 twice") != std::string::npos);
  CHECK(refused("{ mode: host, connect: [] }").find("must not be empty") != std::string::npos);
  std::string many = "{ mode: host, connect: [1";
  for (int port = 2; port <= 33; ++port) many += ", " + std::to_string(port);
  CHECK(refused(many + "] }").find("at most 32 entries") != std::string::npos);
}

TEST_CASE("a socket lies in a directory of its own, at its real path") {
  CHECK(refused("{ mode: host, sockets: [/run/db.sock] }").find("in a directory of its own") !=
        std::string::npos);
  CHECK(refused("{ mode: host, sockets: [/var/run/mysqld/x] }").find("/run/mysqld/x") != std::string::npos);
  CHECK(refused("{ mode: host, sockets: [run/mysqld/x] }").find("absolute path") != std::string::npos);
  CHECK(refused("{ mode: host, sockets: [/run/../etc/x] }").find("\"..\"") != std::string::npos);
  for (const std::string closed :
       {"/etc/x/y", "/home/acme/s", "/tmp/x/y", "/proc/1/root", "/usr/x/y", "/dev/shm/x"}) {
    CAPTURE(closed);
    CHECK(refused("{ mode: host, sockets: [" + closed + "] }").find("must not be below /") !=
          std::string::npos);
  }
  CHECK(parse_socket_path("/etcetera/a/b").ok());
  CHECK(refused("{ mode: host, sockets: [/run/a/b, /run/a/b] }").find("twice") != std::string::npos);
}

TEST_CASE("a plan and a tenant may have a network of their own") {
  Diagnostics diagnostics;
  const auto root = parse_yaml(
      "listen: [{ http: '127.0.0.1:80' }]\nplans:\n  a: { memory: 64M }\n"
      "  b: { memory: 64M, network: private }\n",
      diagnostics);
  REQUIRE(root);
  const HostFile file = read_host_file(*root, FixedUsers(), diagnostics);
  REQUIRE(file.plans.size() == 2);
  CHECK_FALSE(file.plans[0].network);
  REQUIRE(file.plans[1].network);
  CHECK(file.plans[1].network->record.mode == proto::NetworkMode::kPrivate);

  const auto tenant =
      parse_yaml("user: acme\nplan: p\nnetwork: { mode: private, sockets: [/run/a/b] }\n", diagnostics);
  REQUIRE(tenant);
  const TenantFile own = read_tenant_file(*tenant, "acme", FixedUsers(), diagnostics);
  CHECK(diagnostics.lines("f") == std::vector<std::string>{});
  REQUIRE(own.network);
  CHECK(own.network->sockets.size() == 1);
}

}  // namespace rowhouse::config
