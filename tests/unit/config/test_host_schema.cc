#include <doctest/doctest.h>

#include <cerrno>

#include "config/host_schema.h"
#include "config/quantities.h"
#include "sentences.h"

using namespace rowhouse;
using namespace rowhouse::config;

namespace {

constexpr std::string_view kListen = "listen: [{http: '0.0.0.0:80'}]\n";
constexpr std::string_view kPlans = "plans: {p: {memory: 64M}}\n";

std::string refused(std::string_view text, const FixedUsers& users = {}) {
  return sentences(text, [&](const Node& root, Diagnostics& diagnostics) {
    static_cast<void>(read_host_file(root, users, diagnostics));
  });
}

// A host file that is good but for `part`.
std::string refused_part(std::string_view part) {
  return refused(std::string(kListen) + std::string(kPlans) + std::string(part));
}

HostFile good(std::string_view text) {
  Diagnostics diagnostics;
  const auto root = parse_yaml(text, diagnostics);
  REQUIRE(root);
  HostFile file = read_host_file(*root, FixedUsers(), diagnostics);
  CHECK(diagnostics.lines("f") == std::vector<std::string>{});
  return file;
}

HostFile good_part(std::string_view part) {
  return good(std::string(kListen) + std::string(kPlans) + std::string(part));
}

}  // namespace

TEST_CASE("the smallest host file has the documented defaults") {
  const HostFile file = good_part("");
  const proto::HostRecord& host = file.host;
  CHECK(host.gateway_processes == 0);
  CHECK(host.gateway_uid == 801);
  CHECK(host.gateway_gid == 901);
  CHECK(host.control_uid == 802);
  CHECK(host.control_gid == 902);
  CHECK(host.uid_min == 1000);
  CHECK_FALSE(host.strict);
  CHECK(file.network.record.mode == proto::NetworkMode::kHost);
  CHECK(host.control_socket.view() == "/run/rowhouse/control.sock");
  CHECK(host.tenants.view() == "/etc/rowhouse/tenants.d");
  CHECK(host.state.view() == "/var/lib/rowhouse");
  CHECK(host.run.view() == "/run/rowhouse");
  CHECK(host.logs.view() == "/var/log/rowhouse");
  CHECK(host.cgroup_parent.empty());
  REQUIRE(file.admins.size() == 1);
  CHECK(file.admins[0].uid == 0);
  CHECK(file.pythons.empty());
  REQUIRE(file.listeners.size() == 1);
  CHECK(file.listeners[0].port == 80);
  REQUIRE(file.plans.size() == 1);
  const proto::PlanRecord& plan = file.plans[0].record;
  CHECK(plan.name.view() == "p");
  CHECK(plan.memory_bytes == 64 * kMebibyte);
  CHECK(plan.cpu_percent == 0);
  CHECK(plan.pids == 64);
  CHECK(plan.workers == 2);
  CHECK(plan.threads == 8);
  CHECK(plan.concurrency == 20);
  CHECK(plan.queue == 50);
  CHECK(plan.memory_high_bytes == 0);
  CHECK(plan.cpu_weight == 100);
  CHECK(plan.io_weight == 0);
  CHECK(plan.io_read_bytes == 0);
  CHECK(plan.io_write_bytes == 0);
}

TEST_CASE("every key of the host file is read") {
  const HostFile file = good(
      "listen:\n  - http: 127.0.0.1:8080\n  - http: '[::1]:8080'\n"
      "gateway: { processes: 4, user: acme }\n"
      "control: { socket: /x/c.sock, user: 5000, admins: [root, acme, 7] }\n"
      "directories: { tenants: /t, state: /s, run: /r/, logs: /l }\n"
      "uids: { min: 2000 }\ncgroup: { parent: /rowhouse }\n"
      "isolation: { strict: true, network: host }\npythons: ['3.11', 3.10]\n"
      "plans:\n  a: { memory: 1G, cpu: 200%, pids: 256, workers: 8, threads: 32, concurrency: 200, queue: "
      "100 }\n"
      "  b: { memory: 16M, memory_high: 16M, cpu_weight: 1, io_weight: 10000, io: { read: 20M, write: 10M } }\n");
  const proto::HostRecord& host = file.host;
  CHECK(file.listeners.size() == 2);
  CHECK(file.listeners[1].ipv6);
  CHECK(host.gateway_processes == 4);
  CHECK(host.gateway_uid == 2001);
  CHECK(host.gateway_gid == 2002);
  CHECK(host.control_socket.view() == "/x/c.sock");
  CHECK(host.control_uid == 5000);
  CHECK(host.control_gid == 5000);
  REQUIRE(file.admins.size() == 3);
  CHECK(file.admins[1].uid == 2001);
  CHECK(file.admins[2].uid == 7);
  CHECK(host.run.view() == "/r");
  CHECK(host.uid_min == 2000);
  CHECK(host.cgroup_parent.view() == "/rowhouse");
  CHECK(host.strict);
  REQUIRE(file.pythons.size() == 2);
  CHECK(file.pythons[1].version.view() == "3.10");
  REQUIRE(file.plans.size() == 2);
  CHECK(file.plans[0].record.cpu_percent == 200);
  CHECK(file.plans[0].record.queue == 100);
  CHECK(file.plans[1].record.name.view() == "b");
  CHECK(file.plans[1].record.memory_high_bytes == 16 * kMebibyte);
  CHECK(file.plans[1].record.cpu_weight == 1);
  CHECK(file.plans[1].record.io_weight == 10'000);
  CHECK(file.plans[1].record.io_read_bytes == 20 * kMebibyte);
  CHECK(file.plans[1].record.io_write_bytes == 10 * kMebibyte);
}

TEST_CASE("auto is the default said aloud") {
  const HostFile file = good_part("gateway: { processes: auto }\ncgroup: { parent: auto }\n");
  CHECK(file.host.gateway_processes == 0);
  CHECK(file.host.cgroup_parent.empty());
}

TEST_CASE("the control socket is in the run directory unless it is named") {
  CHECK(good_part("directories: { run: /r }\n").host.control_socket.view() == "/r/control.sock");
}

TEST_CASE("listeners and plans are required") {
  CHECK(refused("pythons: ['3.11']\n") ==
        "1:1: the key \"listen\" is missing\n1:1: the key \"plans\" is missing");
  CHECK(refused(std::string(kPlans) + "listen: []\n") == "2:9: \"listen\" must not be empty");
  CHECK(refused(std::string(kPlans) + "listen: x\n") == "2:9: \"listen\" must be a list: [one, two]");
  CHECK(refused(std::string(kPlans) + "listen: [{}]\n") == "2:10: the key \"http\" is missing");
  CHECK(refused(std::string(kPlans) + "listen: [x]\n") == "2:10: \"listen\" must be a map: { key: value }");
  CHECK(refused(std::string(kPlans) + "listen: [{https: '0.0.0.0:443'}]\n") ==
        "2:11: \"https\" is not supported yet");
  CHECK(refused(std::string(kListen) + "plans: {}\n") == "2:8: \"plans\" must have at least one plan");
  CHECK(refused("- x\n") == "1:1: the host file must be a map: { key: value }");
}

TEST_CASE("an address that is listed twice is refused") {
  CHECK(refused(std::string(kPlans) + "listen: [{http: '1.2.3.4:80'}, {http: '1.2.3.4:80'}]\n") ==
        "2:39: \"http\" has an address that is listed twice");
  CHECK(
      good(std::string(kPlans) + "listen: [{http: '1.2.3.4:80'}, {http: '1.2.3.4:81'}]\n").listeners.size() ==
      2);
}

TEST_CASE("lists have caps") {
  std::string listen = "listen: [", admins = "control: { admins: [", pythons = "pythons: [",
              plans = "plans: {";
  for (int i = 1; i <= 300; ++i) {
    const std::string number = std::to_string(i);
    if (i <= 17) listen += "{http: '1.2.3.4:" + number + "'}, ";
    if (i <= 65) admins += number + ", ";
    if (i <= 17) pythons += "'3." + number + "', ";
    if (i <= 257) plans += "p" + number + ": {memory: 1G}, ";
  }
  CHECK(contains(refused(listen + "]\n" + std::string(kPlans)), "\"listen\" must have at most 16 entries"));
  CHECK(contains(refused_part(admins + "] }\n"), "\"admins\" must have at most 64 entries"));
  CHECK(contains(refused_part(pythons + "]\n"), "\"pythons\" must have at most 16 entries"));
  CHECK(contains(refused(plans + "}\n" + std::string(kListen)), "\"plans\" must have at most 256 entries"));
}

TEST_CASE("a user that this host lacks is named, also when it is the default") {
  CHECK(refused_part("gateway: { user: ghost }\n") ==
        "3:18: gateway's \"user\" names \"ghost\", and this host has no such user");
  CHECK(refused_part("control: { user: ghost }\n") ==
        "3:18: control's \"user\" names \"ghost\", and this host has no such user");
  CHECK(refused_part("control: { admins: [ghost] }\n") ==
        "3:21: \"admins\" names \"ghost\", and this host has no such user");
  FixedUsers nobody_here;
  nobody_here.users.clear();
  CHECK(refused(std::string(kListen) + std::string(kPlans), nobody_here) ==
        "1:1: gateway's \"user\" names \"rowhouse-gateway\", and this host has no such user\n"
        "1:1: control's \"user\" names \"rowhouse-control\", and this host has no such user");
}

TEST_CASE("a user database that cannot be asked is no missing user") {
  FixedUsers users;
  users.broken = EIO;
  const std::string text = refused(std::string(kListen) + std::string(kPlans), users);
  CHECK(contains(text, "gateway's \"user\" cannot be looked up: getpwnam: Input/output error"));
  CHECK(contains(refused(std::string(kListen) + std::string(kPlans) + "gateway: {user: 5}\n", users),
                 "3:17: gateway's \"user\" cannot be looked up"));
}

TEST_CASE("our own programs never run as root, as nobody or as no user") {
  for (const char* id : {"0", "root", "65534", "nobody", "65535", "4294967295", "rootgroup"}) {
    CAPTURE(id);
    CHECK(contains(refused_part("gateway: { user: " + std::string(id) + " }\n"),
                   "3:18: gateway's \"user\" has the "));
    CHECK(contains(refused_part("control: { user: " + std::string(id) + " }\n"),
                   "3:18: control's \"user\" has the "));
  }
  CHECK(refused_part("gateway: { user: 0 }\n") == "3:18: gateway's \"user\" has the uid 0, which is root's");
  CHECK(refused_part("gateway: { user: rootgroup }\n") ==
        "3:18: gateway's \"user\" has the gid 0, which is root's");
  CHECK(contains(refused_part("gateway: { user: 65534 }\n"), "which is nobody's"));
  CHECK(contains(refused_part("gateway: { user: 65535 }\n"), "where ids have 16 bits"));
  CHECK(contains(refused_part("gateway: { user: 4294967295 }\n"), "which means \"no change\""));
  CHECK(contains(refused_part("gateway: { user: 4294967296 }\n"),
                 "must be a whole number from 0 to 4294967295"));
}

TEST_CASE("gateway and control are two users") {
  CHECK(refused_part("gateway: { user: 801 }\ncontrol: { user: rowhouse-gateway }\n") ==
        "4:18: control's \"user\" must not be gateway's \"user\"");
}

TEST_CASE("a numeric user has its entry's group, or its own number without one") {
  const HostFile file = good_part("gateway: { user: 2001 }\ncontrol: { user: 64001 }\n");
  CHECK(file.host.gateway_gid == 2002);
  CHECK(file.host.control_uid == 64001);
  CHECK(file.host.control_gid == 64001);
}

TEST_CASE("root may be an admin, nobody may not") {
  CHECK(good_part("control: { admins: [0] }\n").admins[0].uid == 0);
  CHECK(contains(refused_part("control: { admins: [nobody] }\n"), "\"admins\" has the uid 65534"));
  CHECK(refused_part("control: { admins: [] }\n") == "3:20: \"admins\" must not be empty");
  CHECK(contains(refused_part("control: { admins: ['" + std::string(70, 'x') + "'] }\n"),
                 "\"admins\" must be a user name of at most 63 bytes"));
}

TEST_CASE("numbers, flags and paths of the host file are exact") {
  CHECK(refused_part("gateway: { processes: 17 }\n") ==
        "3:23: \"processes\" must be a whole number from 1 to 16, not \"17\"");
  CHECK(refused_part("gateway: { processes: \"2\" }\n") ==
        "3:23: \"processes\" must be a number without quotes, not the text \"2\"");
  CHECK(contains(refused_part("uids: { min: 0 }\n"), "\"min\" must be a whole number from 1 to"));
  CHECK(refused_part("isolation: { strict: yes }\n") == "3:22: \"strict\" must be true or false");
  CHECK(refused_part("isolation: { strict: \"true\" }\n") == "3:22: \"strict\" must be true or false");
  CHECK(refused_part("cgroup: { parent: x }\n") == "3:19: \"parent\" must be an absolute path, not \"x\"");
  CHECK(refused_part("directories: { state: /var/../x }\n") ==
        "3:23: \"state\" must not contain \"..\", as \"/var/../x\" does");
  CHECK(refused_part("directories: { state: /x, logs: /x/ }\n") ==
        "3:33: \"logs\" must not be the directory of \"state\"");
  CHECK(refused_part("control: { socket: /" + std::string(107, 'x') + " }\n") ==
        "3:20: \"socket\" must have at most 107 bytes (unix(7))");
  CHECK(refused_part("pythons: ['3.11', 'three']\n") ==
        "3:19: \"pythons\" must be a Python version such as \"3.11\", not \"three\"");
  CHECK(refused_part("pythons: ['3.11', '3.11']\n") == "3:19: \"pythons\" lists \"3.11\" twice");
  CHECK(refused_part("pythons: []\n") == "3:10: \"pythons\" must not be empty");
}

TEST_CASE("a part of the wrong shape is refused and the rest is still read") {
  CHECK(refused_part("gateway: x\nuids: [1]\npythons: {a: b}\ncontrol: { socket: [x], admins: root }\n") ==
        "3:10: \"gateway\" must be a map: { key: value }\n"
        "4:7: \"uids\" must be a map: { key: value }\n"
        "5:10: \"pythons\" must be a list: [one, two]\n"
        "6:20: \"socket\" must be a single value, not a map or a list\n"
        "6:33: \"admins\" must be a list: [one, two]");
  CHECK(refused_part("gateway: { user: }\n") == "3:12: gateway's \"user\" must not be empty");
}

TEST_CASE("every key of every map is known or refused") {
  CHECK(refused_part("listn: x\n") == "3:1: unknown key \"listn\"; did you mean \"listen\"?");
  CHECK(refused_part("plans.d: x\n") == "3:1: \"plans.d\" is not supported yet");
  for (const char* part : {"gateway", "control", "directories", "uids", "cgroup", "isolation"}) {
    CAPTURE(part);
    CHECK(contains(refused_part(std::string(part) + ": { zzz: 1 }\n"),
                   ": unknown key \"zzz\"; the keys of \""));
  }
}

TEST_CASE("each number of a plan has its range and its unit") {
  const auto plan = [](std::string_view keys) {
    return refused(std::string(kListen) + "plans: {p: {memory: 1G, " + std::string(keys) + "}}\n");
  };
  CHECK(contains(plan("cpu: 0%"), "\"cpu\" must be a percentage from 1% to 100000%"));
  CHECK(contains(plan("cpu: 50"), "\"cpu\" must be a percentage"));
  CHECK(contains(plan("pids: 7"), "\"pids\" must be a whole number from 8 to 65536"));
  CHECK(contains(plan("workers: 0"), "\"workers\" must be a whole number from 1 to 1024"));
  CHECK(contains(plan("threads: 257"), "\"threads\" must be a whole number from 1 to 256"));
  CHECK(contains(plan("concurrency: 1e3"),
                 "\"concurrency\" must be a whole number from 1 to 65536, not \"1e3\""));
  CHECK(contains(plan("queue: 4.0"), "\"queue\" must be a whole number from 1 to 65536, not \"4.0\""));
  CHECK(contains(plan("memory_high: 2G"), "\"memory_high\" must not be more than \"memory\""));
  CHECK(contains(plan("cpu_weight: 0"), "\"cpu_weight\" must be a whole number from 1 to 10000"));
  CHECK(contains(plan("io_weight: 10001"), "\"io_weight\" must be a whole number from 1 to 10000"));
  CHECK(contains(plan("io: 10M"), "\"io\" must be a map"));
  CHECK(contains(plan("io: { write: 1K }"), "\"write\" must be a size with a unit (K, M, G, T) from 64K to 16T"));
  CHECK(contains(plan("io: { wrote: 1M }"), "unknown key \"wrote\"; did you mean \"write\"?"));
  CHECK(contains(plan("rate: 50"), "\"rate\" must be requests of each second, such as \"50/s\""));
  CHECK(contains(plan("memroy: 1G"), "unknown key \"memroy\"; did you mean \"memory\"?"));
  CHECK(contains(refused(std::string(kListen) + "plans: {p: {memory: 15M}}\n"),
                 "\"memory\" must be a size with a unit (K, M, G, T) from 16M to 16T, not \"15M\""));
  CHECK(refused(std::string(kListen) + "plans: {p: {}}\n") == "2:12: the key \"memory\" is missing");
  CHECK(refused(std::string(kListen) + "plans: {p: }\n") == "2:9: a plan must be a map: { key: value }");
  CHECK(contains(refused(std::string(kListen) + "plans: {P: {memory: 1G}}\n"),
                 "2:9: a plan must be a name of"));
  CHECK(refused(std::string(kListen) + "plans: [p]\n") == "2:8: \"plans\" must be a map: { name: value }");
}

TEST_CASE("one run finds independent errors in all parts") {
  const std::string text = refused(
      "listen: [{http: x}]\ngateway: { processes: 0 }\nuids: { mim: 1 }\n"
      "plans: {a: {memory: 1}, b: {memory: 2}}\n");
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
}
