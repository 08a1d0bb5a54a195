// The host's settings: limits, sysctls and the service manager.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/doctor/finding.h"

namespace rowhouse::cli {

struct SettingsFacts {
  std::uint64_t open_files = 0;  // the hard limit that a program started from here would have
  std::optional<std::uint64_t> file_max, pid_max, threads_max, inotify_instances, inotify_watches;
  std::optional<std::uint64_t> protected_symlinks, protected_hardlinks, ptrace_scope, user_namespaces;
  std::string core_pattern;
  bool systemd = false;             // pid 1 is systemd
  std::optional<std::string> unit;  // rowhoused.service with its drop-ins, where there is one
};

// Whether a unit's text ends with delegation switched on.
[[nodiscard]] bool delegates_cgroups(std::string_view unit);

[[nodiscard]] SettingsFacts look_at_settings();
[[nodiscard]] Findings judge_settings(const SettingsFacts& facts);

}  // namespace rowhouse::cli
