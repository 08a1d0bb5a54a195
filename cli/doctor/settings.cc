#include "cli/doctor/settings.h"

#include <algorithm>
#include <sstream>

namespace rowhouse::cli {
namespace {

constexpr std::uint64_t kOpenFilesWanted = 65'536;
constexpr std::uint64_t kPidsWanted = 32'768;
constexpr std::uint64_t kInotifyInstancesWanted = 128;
constexpr std::uint64_t kInotifyWatchesWanted = 8'192;

using Fact = std::optional<std::uint64_t>;

void at_least(const Fact& fact, std::uint64_t wanted, const std::string& topic, const std::string& name,
              const std::string& advice, Findings& findings) {
  if (!fact) return;
  const std::string found = name + " = " + std::to_string(*fact);
  if (*fact >= wanted) return findings.push_back(ok(topic, found));
  findings.push_back(warning(topic, found + " is low for many tenants",
                             advice.empty() ? "sysctl -w " + name + "=" + std::to_string(wanted) : advice));
}

void switched_on(const Fact& fact, const std::string& name, const std::string& without, Findings& findings) {
  if (!fact) return;
  if (*fact != 0) return findings.push_back(ok("sysctls", name + " = " + std::to_string(*fact)));
  findings.push_back(warning("sysctls", name + " = 0: " + without, "sysctl -w " + name + "=1"));
}

void judge_core_pattern(const std::string& pattern, Findings& findings) {
  if (!pattern.starts_with('|')) return findings.push_back(ok("sysctls", "kernel.core_pattern = " + pattern));
  findings.push_back(
      warning("sysctls",
              "kernel.core_pattern = " + pattern +
                  ": every crash of a tenant starts that program as root on the host",
              "use a file pattern (sysctl -w kernel.core_pattern=core); sandboxes write no core files"));
}

void judge_service_manager(const SettingsFacts& facts, Findings& findings) {
  if (!facts.systemd)
    return findings.push_back(ok("service", "pid 1 is not systemd; start rowhoused as your init does"));
  if (!facts.unit) {
    return findings.push_back(
        warning("service", "systemd runs, but there is no rowhoused.service",
                "meson install puts it in place; then systemctl enable --now rowhoused"));
  }
  if (delegates_cgroups(*facts.unit))
    return findings.push_back(ok("service", "rowhoused.service delegates its cgroups"));
  findings.push_back(warning(
      "service", "rowhoused.service has no Delegate=yes: systemd may move tenants out of their limits",
      "systemctl edit rowhoused: [Service] Delegate=yes"));
}

}  // namespace

bool delegates_cgroups(std::string_view unit) {
  std::istringstream lines{std::string(unit)};
  bool delegates = false;
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kKey = "Delegate=";
    if (!line.starts_with(kKey)) continue;
    const std::string value = line.substr(kKey.size());
    delegates = value == "yes" || value == "true" || value == "1" || value == "on" ||
                (value.find("memory") != std::string::npos && value.find("pids") != std::string::npos);
  }
  return delegates;
}

Findings judge_settings(const SettingsFacts& facts) {
  Findings findings;
  at_least(facts.open_files, kOpenFilesWanted, "limits", "open files (RLIMIT_NOFILE, hard)",
           "LimitNOFILE=1048576 in the unit, or ulimit -Hn before rowhoused", findings);
  at_least(facts.file_max, kOpenFilesWanted, "limits", "fs.file-max", "", findings);
  at_least(facts.pid_max, kPidsWanted, "limits", "kernel.pid_max", "", findings);
  at_least(facts.threads_max, kPidsWanted, "limits", "kernel.threads-max", "", findings);
  at_least(facts.inotify_instances, kInotifyInstancesWanted, "limits", "fs.inotify.max_user_instances", "",
           findings);
  at_least(facts.inotify_watches, kInotifyWatchesWanted, "limits", "fs.inotify.max_user_watches", "",
           findings);
  switched_on(facts.protected_symlinks, "fs.protected_symlinks", "links of others in /tmp are followed",
              findings);
  switched_on(facts.protected_hardlinks, "fs.protected_hardlinks", "anybody may link to files of others",
              findings);
  judge_core_pattern(facts.core_pattern, findings);
  if (facts.ptrace_scope) {
    findings.push_back(ok("sysctls", "kernel.yama.ptrace_scope = " + std::to_string(*facts.ptrace_scope) +
                                         " (sandboxes allow no ptrace, whatever it is)"));
  }
  if (facts.user_namespaces) {
    findings.push_back(
        ok("sysctls", std::string("user namespaces of ordinary users: ") +
                          (*facts.user_namespaces != 0 ? "on" : "off") +
                          " (sandboxes cannot make any; tenants with SSH can where they are on)"));
  }
  judge_service_manager(facts, findings);
  return findings;
}

}  // namespace rowhouse::cli
