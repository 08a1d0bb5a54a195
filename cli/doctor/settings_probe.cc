// The gatherer of settings.h.
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <vector>

#include "base/files.h"
#include "cli/doctor/settings.h"

namespace rowhouse::cli {
namespace {

constexpr std::size_t kMaxFileBytes = 64 * 1024;
constexpr const char* kUnitDirectories[] = {"/etc/systemd/system", "/run/systemd/system",
                                            "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                            "/lib/systemd/system"};

std::optional<std::string> text_of(const std::string& path) {
  auto content = read_file(AT_FDCWD, path.c_str(), kMaxFileBytes);
  if (!content.ok()) return std::nullopt;
  std::string text = std::move(content).value();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::optional<std::uint64_t> number_of(const std::string& path) {
  const auto text = text_of(path);
  std::uint64_t number = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

// The unit, and what is dropped in beside it, in the order in which systemd reads them.
std::optional<std::string> look_at_unit() {
  std::optional<std::string> unit;
  for (const std::string directory : kUnitDirectories) {
    if (!unit) unit = text_of(directory + "/rowhoused.service");
  }
  if (!unit) return std::nullopt;
  for (const std::string directory : kUnitDirectories) {
    const std::string drop_ins = directory + "/rowhoused.service.d";
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(drop_ins.c_str()), ::closedir);
    std::vector<std::string> names;
    while (const dirent* entry = listing == nullptr ? nullptr : ::readdir(listing.get()))
      names.emplace_back(entry->d_name);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (name.ends_with(".conf")) *unit += "\n" + text_of(drop_ins + "/" + name).value_or("");
    }
  }
  return unit;
}

}  // namespace

SettingsFacts look_at_settings() {
  SettingsFacts facts;
  rlimit limits{};
  if (::getrlimit(RLIMIT_NOFILE, &limits) == 0) facts.open_files = limits.rlim_max;
  facts.file_max = number_of("/proc/sys/fs/file-max");
  facts.pid_max = number_of("/proc/sys/kernel/pid_max");
  facts.threads_max = number_of("/proc/sys/kernel/threads-max");
  facts.inotify_instances = number_of("/proc/sys/fs/inotify/max_user_instances");
  facts.inotify_watches = number_of("/proc/sys/fs/inotify/max_user_watches");
  facts.protected_symlinks = number_of("/proc/sys/fs/protected_symlinks");
  facts.protected_hardlinks = number_of("/proc/sys/fs/protected_hardlinks");
  facts.ptrace_scope = number_of("/proc/sys/kernel/yama/ptrace_scope");
  facts.user_namespaces = number_of("/proc/sys/user/max_user_namespaces");
  if (number_of("/proc/sys/kernel/unprivileged_userns_clone") == 0) facts.user_namespaces = 0;
  facts.core_pattern = text_of("/proc/sys/kernel/core_pattern").value_or("");
  facts.systemd = text_of("/proc/1/comm") == "systemd";
  facts.unit = look_at_unit();
  return facts;
}

}  // namespace rowhouse::cli
