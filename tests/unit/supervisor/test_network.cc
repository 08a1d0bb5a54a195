// Networks as the supervisor takes them: records in order, and whose network a tenant has.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "records.h"
#include "supervisor/network.h"
#include "supervisor/registry.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;

namespace {

bool take(std::optional<NetworkAccess>& slot, const auto& message) {
  return take_network_record(record(message), &slot);
}

proto::SocketRecord socket_at(std::string_view path) {
  return {proto::Path::cut(path)};
}

struct TemporaryDirectory {
  std::string path = "/var/tmp/rowhouse-network-XXXXXX";
  TemporaryDirectory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a network record opens the list that sockets and ports are added to") {
  std::optional<NetworkAccess> slot;
  CHECK(take(slot, proto::NetworkRecord{proto::NetworkMode::kHost}));
  CHECK(take(slot, socket_at("/run/a/b")));
  CHECK(take(slot, proto::PortRecord{5432}));
  CHECK(*slot == NetworkAccess{proto::NetworkMode::kHost, {"/run/a/b"}, {5432}});
}

TEST_CASE("records that cannot be right are refused") {
  std::optional<NetworkAccess> slot;
  CHECK_FALSE(take_network_record(record(proto::NetworkRecord{}), nullptr));
  CHECK_FALSE(take(slot, proto::PortRecord{80}));
  CHECK_FALSE(take(slot, socket_at("/run/a/b")));
  CHECK(take(slot, proto::NetworkRecord{proto::NetworkMode::kPrivate}));
  CHECK_FALSE(take(slot, proto::NetworkRecord{proto::NetworkMode::kHost}));
  CHECK_FALSE(take(slot, proto::PortRecord{80}));
  for (const char* path : {"", "run/a", "/run/../etc/x", "/run/a/..", "/run//a", "/run/a/"}) {
    CAPTURE(path);
    CHECK_FALSE(take(slot, socket_at(path)));
  }
  std::optional<NetworkAccess> open = NetworkAccess{};
  CHECK_FALSE(take(open, proto::PortRecord{0}));
}

TEST_CASE("no list grows beyond its cap") {
  std::optional<NetworkAccess> slot = NetworkAccess{};
  for (std::uint32_t i = 0; i < proto::kMaxSocketsPerNetwork; ++i) CHECK(take(slot, socket_at("/run/a/b")));
  CHECK_FALSE(take(slot, socket_at("/run/a/b")));
  for (std::uint32_t i = 0; i < proto::kMaxPortsPerNetwork; ++i) CHECK(take(slot, proto::PortRecord{1}));
  CHECK_FALSE(take(slot, proto::PortRecord{1}));
}

TEST_CASE("a tenant has its own network, else its plan's, else the host's") {
  HostConfiguration host;
  TenantEntry tenant;
  tenant.plan = "p";
  host.network = NetworkAccess{};
  CHECK(network_of(tenant, host).mode == proto::NetworkMode::kHost);
  host.plan_networks["p"] = std::nullopt;
  CHECK(network_of(tenant, host).mode == proto::NetworkMode::kHost);
  host.plan_networks["p"] = NetworkAccess{proto::NetworkMode::kPrivate, {}, {}};
  CHECK(network_of(tenant, host).mode == proto::NetworkMode::kPrivate);
  tenant.network = NetworkAccess{proto::NetworkMode::kHost, {}, {443}};
  CHECK(network_of(tenant, host).ports == std::vector<std::uint16_t>{443});
}

TEST_CASE(
    "a directory with two sockets is opened once, and one that is a link or missing is refused by name") {
  const TemporaryDirectory place;
  std::filesystem::create_directory(place.path + "/db");
  std::filesystem::create_directory_symlink("db", place.path + "/link");
  std::string problem;
  const auto found =
      open_socket_directories({{}, {place.path + "/db/one", place.path + "/db/two"}, {}}, problem);
  REQUIRE(found.ok());
  REQUIRE(found.value().size() == 1);
  CHECK(found.value()[0].path == place.path + "/db");
  for (const std::string name : {"/link/one", "/missing/one"}) {
    CAPTURE(name);
    CHECK_FALSE(open_socket_directories({{}, {place.path + name}, {}}, problem).ok());
    CHECK(problem.find(place.path + name) != std::string::npos);
  }
}
