// What the doctor makes of facts.  The facts of a real host: tests/system/test_doctor.py.
#include <doctest/doctest.h>

#include "cli/doctor/cgroup_layout.h"
#include "cli/doctor/doctor_command.h"
#include "cli/doctor/installation.h"
#include "cli/doctor/kernel_features.h"
#include "cli/doctor/kernel_version.h"
#include "cli/doctor/settings.h"

using namespace rowhouse;
using namespace rowhouse::cli;

namespace {

// The worst level of the findings with `words` in what was found; kOk also when there is none.
Level level_of(const Findings& findings, std::string_view words) {
  Level worst = Level::kOk;
  for (const Finding& finding : findings) {
    if (finding.found.find(words) != std::string::npos && finding.level > worst) worst = finding.level;
  }
  return worst;
}
bool says(const Findings& findings, std::string_view words) {
  for (const Finding& finding : findings) {
    if (finding.found.find(words) != std::string::npos) return true;
  }
  return false;
}

HierarchyFacts v1(const std::string& controller) {
  return {{"/sys/fs/cgroup/" + controller, false, {controller}}, true, ParentState::kMadeAtStart};
}
HierarchyFacts v2(std::vector<std::string> controllers) {
  return {{"/sys/fs/cgroup", true, std::move(controllers)}, true, ParentState::kMadeAtStart};
}
CgroupFacts cgroups(std::vector<HierarchyFacts> hierarchies) {
  CgroupFacts facts;
  facts.root = true;
  facts.hierarchies = std::move(hierarchies);
  return facts;
}

InstallationFacts good_installation() {
  InstallationFacts facts;
  const PathVerdict trusted{PathVerdict::Kind::kTrusted, ""};
  facts.config_path = "/etc/rowhouse/rowhouse.yaml";
  facts.program_directory = "/usr/libexec/rowhouse";
  facts.program_verdict = facts.config_verdict = trusted;
  facts.pythons = {{"3.11", "/usr/libexec/rowhouse/w", true, {}}};
  facts.host = proto::HostRecord{};
  facts.host->gateway_uid = facts.host->gateway_gid = 801;
  facts.host->control_uid = facts.host->control_gid = 802;
  facts.directories = {{"directories.tenants", "/etc/rowhouse/tenants.d", false, trusted}};
  facts.tenants_readable = true;
  return facts;
}

std::optional<KernelVersion> version(unsigned major, unsigned minor, unsigned patch) {
  return KernelVersion{major, minor, patch};
}

}  // namespace

TEST_CASE("a failure is 5, a warning alone 1, nothing 0") {
  CHECK(verdict_of({ok("a", "b")}) == ExitCode::kDone);
  CHECK(verdict_of({ok("a", "b"), warning("a", "b", "c")}) == ExitCode::kFailed);
  CHECK(verdict_of({warning("a", "b", "c"), failure("a", "b", "c")}) == ExitCode::kCannotRun);
  CHECK(static_cast<int>(ExitCode::kCannotRun) == 5);
  CHECK(doctor_json({failure("a", "b\x1b", "c")}) ==
        "{\"verdict\":\"cannot-run\",\"findings\":[{\"topic\":\"a\",\"level\":\"failure\",\"found\":"
        "\"b\\u001b\","
        "\"advice\":\"c\"}]}\n");
}

TEST_CASE("a kernel's version is its numbers") {
  CHECK(parse_kernel_version("6.18.44-x") == version(6, 18, 44));
  CHECK(parse_kernel_version("6.1") == version(6, 1, 0));
  CHECK_FALSE(parse_kernel_version("x.1"));
  CHECK_FALSE(parse_kernel_version("6"));
}

TEST_CASE("the upstream version is known only where the kernel says it") {
  CHECK(upstream_version("6.1.0-18-amd64", "#1 SMP Debian 6.1.76-1 (2024-02-01)", "") == version(6, 1, 76));
  CHECK(upstream_version("5.15.0-105-generic", "#115-Ubuntu SMP", "Ubuntu 5.15.0-105.115-generic 5.15.148") ==
        version(5, 15, 148));
  CHECK(upstream_version("6.18.44-cloud", "#1 SMP", "") == version(6, 18, 44));
  CHECK_FALSE(upstream_version("5.14.0-427.el9.x86_64", "#1 SMP", ""));
}

TEST_CASE("kernels below the floor cannot run Rowhouse") {
  CHECK(level_of(judge_kernel_version("4.18.0-553.el8", std::nullopt), "") == Level::kFailure);
  CHECK(level_of(judge_kernel_version("5.9.16", version(5, 9, 16)), "") == Level::kFailure);
  CHECK(level_of(judge_kernel_version("5.14.0-427.el9", std::nullopt), "") == Level::kOk);
}

TEST_CASE("a known hole is named in the versions that have it and in no other") {
  struct Row {
    unsigned major, minor, patch;
    const char* hole;
  };
  constexpr Row kWith[] = {{5, 10, 51, "CVE-2021-33909"},
                           {5, 10, 101, "CVE-2022-0847"},
                           {5, 16, 10, "CVE-2022-0847"},
                           {6, 1, 75, "CVE-2024-1086"},
                           {6, 18, 21, "CVE-2026-31431"}};
  constexpr Row kWithout[] = {{5, 10, 52, "CVE-2021-33909"}, {5, 10, 102, "CVE-2022-0847"},
                              {5, 17, 0, "CVE-2022-0847"},   {6, 1, 76, "CVE-2024-1086"},
                              {6, 18, 22, "CVE-2026-31431"}, {7, 0, 0, "CVE"}};
  for (const Row& row : kWith) {
    CAPTURE(row.hole);
    CHECK(level_of(judge_kernel_version("6.1.1", version(row.major, row.minor, row.patch)), row.hole) ==
          Level::kWarning);
  }
  for (const Row& row : kWithout) {
    CAPTURE(row.hole);
    CHECK_FALSE(says(judge_kernel_version("6.1.1", version(row.major, row.minor, row.patch)), row.hole));
  }
}

TEST_CASE("a missing call of the floor is a failure, one that has a substitute is not") {
  KernelFeatures features;
  features.landlock_abi = 7;
  features.features = {{"openat2", "5.6", Answer::kMissing, Level::kFailure, "m"},
                       {"mount_setattr", "5.12", Answer::kMissing, Level::kOk, "m"},
                       {"clone3", "5.5", Answer::kUnknown, Level::kFailure, "m"}};
  const Findings findings = judge_kernel_features(features, Strictness::kLenient);
  CHECK(level_of(findings, "openat2") == Level::kFailure);
  CHECK(level_of(findings, "mount_setattr") == Level::kOk);
  CHECK(level_of(findings, "clone3") == Level::kWarning);
}

TEST_CASE("missing Landlock is a warning, and a failure where isolation is strict") {
  KernelFeatures features;
  for (const int abi : {0, 5}) {
    features.landlock_abi = abi;
    CHECK(level_of(judge_kernel_features(features, Strictness::kLenient), "Landlock") == Level::kWarning);
    CHECK(level_of(judge_kernel_features(features, Strictness::kStrict), "Landlock") == Level::kFailure);
  }
  features.landlock_abi = 6;
  CHECK(level_of(judge_kernel_features(features, Strictness::kStrict), "Landlock") == Level::kOk);
}

TEST_CASE("the cgroup layouts have their names") {
  CHECK(name_layout({}) == "none");
  CHECK(name_layout({v2({"cpu", "memory", "pids"})}) == "v2");
  CHECK(name_layout({v1("memory")}) == "v1");
  CHECK(name_layout({v1("memory"), v2({})}) == "hybrid");
  CHECK(name_layout({v2({})}) == "v2 without controllers");
}

TEST_CASE("without any hierarchy Rowhouse cannot run") {
  CHECK(verdict_of(judge_cgroups(cgroups({}), Strictness::kLenient)) == ExitCode::kCannotRun);
  CHECK(verdict_of(judge_cgroups(cgroups({v1("devices")}), Strictness::kLenient)) == ExitCode::kCannotRun);
}

TEST_CASE("a missing controller is a missing wall") {
  const CgroupFacts facts = cgroups({v1("memory"), v1("cpu")});
  CHECK(level_of(judge_cgroups(facts, Strictness::kLenient), "pids controller") == Level::kWarning);
  CHECK(level_of(judge_cgroups(facts, Strictness::kStrict), "pids controller") == Level::kFailure);
  CHECK(level_of(judge_cgroups(facts, Strictness::kStrict), "memory controller") == Level::kOk);
}

TEST_CASE("a hierarchy that cannot be written to, or has no way to the parent, is a failure") {
  CgroupFacts facts = cgroups({v2({"cpu", "memory", "pids"})});
  facts.hierarchies[0].writable = false;
  CHECK(level_of(judge_cgroups(facts, Strictness::kLenient), "cannot be written to") == Level::kFailure);
  facts.root = false;
  CHECK_FALSE(says(judge_cgroups(facts, Strictness::kLenient), "cannot be written to"));
  facts = cgroups({v2({"cpu", "memory", "pids"})});
  facts.configured_parent = "/no/such";
  facts.hierarchies[0].parent = ParentState::kNoWay;
  CHECK(level_of(judge_cgroups(facts, Strictness::kLenient), "/no/such") == Level::kFailure);
}

TEST_CASE("swap without a limit is a missing wall only where there is swap") {
  CgroupFacts facts = cgroups({v1("memory"), v1("pids"), v1("cpu")});
  facts.group.swap_limit = false;
  CHECK(level_of(judge_cgroups(facts, Strictness::kLenient), "swap") == Level::kOk);
  facts.swap_in_use = true;
  CHECK(level_of(judge_cgroups(facts, Strictness::kLenient), "swap") == Level::kWarning);
}

TEST_CASE("a good installation has nothing but ok") {
  CHECK(verdict_of(judge_installation(good_installation())) == ExitCode::kDone);
}

TEST_CASE("each part of an installation that is wrong is named") {
  InstallationFacts facts = good_installation();
  facts.config_verdict = {PathVerdict::Kind::kRefused, "/etc belongs to uid 7"};
  CHECK(level_of(judge_installation(facts), "/etc belongs to uid 7") == Level::kFailure);
  facts = good_installation();
  facts.config_problem = "f:1:1: one\nf:2:1: \"user\" names \"x\", and this host has no such user";
  facts.host.reset();
  CHECK(level_of(judge_installation(facts), "f:1:1: one") == Level::kFailure);
  CHECK(level_of(judge_installation(facts), "no such user") == Level::kFailure);
  facts = good_installation();
  facts.directories[0].verdict = {PathVerdict::Kind::kLastMissing, ""};
  CHECK(level_of(judge_installation(facts), "tenants.d does not exist") == Level::kFailure);
  facts.directories[0].made_at_start = true;
  CHECK(level_of(judge_installation(facts), "made at the start") == Level::kOk);
  facts = good_installation();
  facts.pythons[0].missing = {"libpython3.11.so.1.0"};
  CHECK(level_of(judge_installation(facts), "libpython3.11") == Level::kWarning);
  facts.wanted_pythons = {"3.11"};
  CHECK(level_of(judge_installation(facts), "libpython3.11") == Level::kWarning);
  facts.wanted_pythons = {"3.13"};
  CHECK_FALSE(says(judge_installation(facts), "libpython3.11"));
  CHECK(level_of(judge_installation(facts), "3.13") == Level::kFailure);
  facts = good_installation();
  facts.tenants = {{"acme", "acme.yaml:1:1: no"}, {"globex", ""}};
  CHECK(level_of(judge_installation(facts), "acme.yaml") == Level::kWarning);
  facts = good_installation();
  facts.host->gateway_uid = 1000;
  CHECK(level_of(judge_installation(facts), "uids.min") == Level::kWarning);
}

TEST_CASE("missing libraries are read from the program loader's list") {
  CHECK(
      parse_missing_libraries("\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibpython3.11.so.1.0 => not found\n") ==
      std::vector<std::string>{"libpython3.11.so.1.0"});
  CHECK(parse_missing_libraries("").empty());
}

TEST_CASE("delegation is what the last word of the unit says") {
  CHECK(delegates_cgroups("[Service]\nDelegate=yes\n"));
  CHECK(delegates_cgroups("[Service]\nDelegate=memory pids cpu\n"));
  CHECK_FALSE(delegates_cgroups("[Service]\nDelegate=yes\nDelegate=no"));
  CHECK_FALSE(delegates_cgroups("[Service]\n# Delegate=yes\n"));
}

TEST_CASE("settings that weaken the host are warnings with advice") {
  SettingsFacts facts;
  facts.open_files = 1 << 20;
  facts.core_pattern = "core";
  CHECK(verdict_of(judge_settings(facts)) == ExitCode::kDone);
  facts.core_pattern = "|/usr/lib/systemd/systemd-coredump";
  CHECK(level_of(judge_settings(facts), "core_pattern") == Level::kWarning);
  facts.protected_symlinks = 0;
  CHECK(level_of(judge_settings(facts), "protected_symlinks") == Level::kWarning);
  facts.systemd = true;
  CHECK(level_of(judge_settings(facts), "rowhoused.service") == Level::kWarning);
  facts.unit = "[Service]\nDelegate=yes\n";
  CHECK(level_of(judge_settings(facts), "rowhoused.service") == Level::kOk);
  for (const Finding& finding : judge_settings(facts))
    CHECK((finding.level == Level::kOk) == finding.advice.empty());
}
