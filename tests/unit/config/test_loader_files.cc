// Host and tenant files through the real loader as nobody, and what the loader does to itself.  REQUIRES:
// root.
#include <doctest/doctest.h>
#include <fcntl.h>

#include "base/files.h"
#include "tenant_fixture.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

proto::LoadHost host_request(const std::string& path) {
  proto::LoadHost request;
  request.path = proto::Path::cut(path);
  return request;
}

proto::LoadTenant tenant_request(const std::string& name) {
  proto::LoadTenant request;
  request.tenant = proto::Name::cut(name);
  request.path = proto::Path::cut("/etc/rowhouse/tenants.d/" + name + ".yaml");
  return request;
}

UniqueFd open_to_read(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string status_line(pid_t pid, std::string_view name) {
  std::ifstream stream("/proc/" + std::to_string(pid) + (name == "status" ? "/status" : "/limits"));
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE_FIXTURE(TenantFixture, "a host file comes by descriptor, and its records in order") {
  const std::string path = scratch.write("host.yaml",
                                         "listen: [{http: '127.0.0.1:80'}]\ngateway: {user: 801}\n"
                                         "control: {user: 802, admins: [root, 7]}\npythons: ['3.11']\n"
                                         "plans: {p: {memory: 64M}, q: {memory: 1G, network: {mode: host, connect: [443]}}}\n");
  ::chmod(path.c_str(), 0600);
  LoaderProcess loader(kNobodyUid);
  loader.send(host_request("/etc/rowhouse/rowhouse.yaml"), {open_to_read(path).get()});
  const Answer answer = loader.receive();
  CHECK(answer.sentences == "");
  REQUIRE(answer.loaded);
  REQUIRE(answer.records.size() >= 11);  // and the privileged groups of this host
  CHECK(as<proto::HostRecord>(answer.records[0]).gateway_uid == 801);
  CHECK(as<proto::NetworkRecord>(answer.records[1]).mode == proto::NetworkMode::kHost);
  CHECK(as<proto::GatewayRecord>(answer.records[2]).penalties);
  CHECK(as<proto::ListenRecord>(answer.records[3]).port == 80);
  CHECK(as<proto::AdminRecord>(answer.records[4]).uid == 0);
  CHECK(as<proto::AdminRecord>(answer.records[5]).uid == 7);
  CHECK(as<proto::PythonRecord>(answer.records[6]).version.view() == "3.11");
  CHECK(as<proto::PlanRecord>(answer.records[7]).name.view() == "p");
  CHECK(as<proto::PlanRecord>(answer.records[8]).name.view() == "q");
  CHECK(as<proto::NetworkRecord>(answer.records[9]).mode == proto::NetworkMode::kHost);
  CHECK(as<proto::PortRecord>(answer.records[10]).port == 443);
  CHECK(loader.finish() == 0);
}

TEST_CASE_FIXTURE(TenantFixture,
                  "a tenant file comes by descriptor, and errors carry the path that was told") {
  LoaderProcess loader(kNobodyUid);
  const std::string good =
      scratch.write("good", "uid: 2001\ngid: 2001\nhome: /srv/a\nplan: p\ndomains: [a.b]\n");
  loader.send(tenant_request("acme"), {open_to_read(good).get()});
  const Answer answer = loader.receive();
  REQUIRE(answer.loaded);
  REQUIRE(answer.records.size() == 2);
  CHECK(as<proto::TenantRecord>(answer.records[0]).home.view() == "/srv/a");
  CHECK(as<proto::DomainRecord>(answer.records[1]).host.view() == "a.b");
  const std::string bad = scratch.write("bad", "uid: 0\ngid: 2001\nhome: /srv/a\nplan: p\n");
  loader.send(tenant_request("acme"), {open_to_read(bad).get()});
  CHECK(loader.receive().sentences ==
        "/etc/rowhouse/tenants.d/acme.yaml:1:6: \"uid\" must not be 0, which is root's\n");
}

TEST_CASE_FIXTURE(TenantFixture, "more records than the socket holds reach a supervisor that reads late") {
  std::string text = "uid: 2001\ngid: 2001\nhome: /srv/a\nplan: p\ndomains:\n";
  for (std::size_t i = 0; i < proto::kMaxDomainsPerTenant; ++i)
    text += "- d" + std::to_string(i) + ".example\n";
  LoaderProcess loader(kNobodyUid);
  loader.send(tenant_request("acme"), {open_to_read(scratch.write("many", text)).get()});
  loader.wait_until_stuck();
  const Answer answer = loader.receive();
  CHECK(answer.loaded);
  CHECK(answer.records.size() == 1 + proto::kMaxDomainsPerTenant);
}

TEST_CASE_FIXTURE(TenantFixture, "a descriptor that is no regular file is refused") {
  LoaderProcess loader(kNobodyUid);
  auto pair = create_stream_pair();
  REQUIRE(pair.ok());
  for (const UniqueFd& fd : {open_to_read(home), open_to_read("/dev/zero"), std::move(pair.value().ours)}) {
    loader.send(host_request("h"), {fd.get()});
    CHECK(loader.receive().sentences == "h:1:1: the file is not a regular file\n");
  }
  loader.send(tenant_request("x"), {open_to_read(scratch.write("big", std::string(70'000, '#'))).get()});
  CHECK(contains(loader.receive().sentences, "the file is larger than 65536 bytes"));
}

TEST_CASE_FIXTURE(TenantFixture, "a message that is not the supervisor's to send ends the loader") {
  LoaderProcess record(kNobodyUid);
  record.send(proto::AdminRecord{});
  CHECK(record.receive().loaded == false);
  CHECK(record.finish() == 1);
  LoaderProcess noise(kNobodyUid);
  noise.send_bytes(as_bytes("noise"));
  CHECK(noise.receive().loaded == false);
  CHECK(noise.finish() == 1);
  LoaderProcess bare(kNobodyUid);
  std::vector<std::uint8_t> room(proto::wire_size<proto::LoadHost>());
  bare.send_bytes(proto::encode_message(proto::LoadHost{}, room));
  CHECK(bare.receive().loaded == false);
  CHECK(bare.finish() == 1);
}

TEST_CASE_FIXTURE(TenantFixture, "the loader confines itself") {
  LoaderProcess loader(kTenantUid);
  static_cast<void>(loader.load_manifest(home));
  const std::string limits = status_line(loader.pid(), "limits");
  const auto limit = [&](std::string_view name) {
    const std::size_t begin = limits.find(name);
    return begin == std::string::npos ? ""
                                      : limits.substr(begin + name.size(), limits.find('\n', begin) - begin);
  };
  CHECK(contains(limit("Max open files"), " 64 "));
  CHECK(limit("Max core file size").find_first_not_of(' ') == limit("Max core file size").find('0'));
  CHECK_FALSE(contains(limit("Max cpu time").substr(0, 24), "unlimited"));
  CHECK(contains(status_line(loader.pid(), "status"), "NoNewPrivs:\t1"));
#if !defined(__SANITIZE_ADDRESS__)
  CHECK(contains(limit("Max address space"), " 536870912 "));
  struct stat status {};
  REQUIRE(::stat(("/proc/" + std::to_string(loader.pid()) + "/environ").c_str(), &status) == 0);
  CHECK(status.st_uid == 0);  // not dumpable: no process of this uid may trace it (proc(5))
#endif
}

TEST_CASE("the program's exit status says good, bad or wrong usage") {
  const Scratch scratch;
  const std::string good = scratch.write("m.yaml", "apps: {}\n"), bad = scratch.write("b.yaml", "apps: []\n");
  std::string out;
  CHECK(run_loader({"--check", good}, out) == 0);
  CHECK(out == "");
  CHECK(run_loader({"--check", good, bad}, out) == 1);
  CHECK(out == bad + ":1:7: \"apps\" must be a map: { name: value }\n");
  CHECK(run_loader({"--check"}, out) == 2);
  CHECK(run_loader({"--frobnicate"}, out) == 2);
  CHECK(run_loader({"--help"}, out) == 0);
  CHECK(contains(out, "usage: rowhouse-loader --check"));
}
