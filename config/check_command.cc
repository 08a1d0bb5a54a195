#include "config/check_command.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "config/host_schema.h"
#include "config/manifest_files.h"
#include "config/paths.h"
#include "config/safe_open.h"
#include "config/source_text.h"
#include "config/tenant_schema.h"

namespace rowhouse::config {
namespace {

std::optional<FileKind> parse_kind(std::string_view name) {
  if (name == "auto") return FileKind::kAuto;
  if (name == "host") return FileKind::kHost;
  if (name == "tenant") return FileKind::kTenant;
  if (name == "manifest") return FileKind::kManifest;
  return std::nullopt;
}

// The owner of the directory: whoever checks a manifest need not be the tenant.
uid_t owner_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_uid : ::geteuid();
}

void check_manifest_files(std::vector<App>& apps, const std::string& path, Diagnostics& diagnostics) {
  Home home{path, {}, owner_of(path)};
  Parsed<UniqueFd> directory = open_home(path, home.owner);
  if (!directory.ok()) {
    diagnostics.add({}, "the home " + quote(path) + " " + directory.problem());
    return;
  }
  home.directory = directory.take();
  for (App& app : apps) {
    read_page_files(app, home, diagnostics);
    static_cast<void>(open_app_files(app, home, diagnostics));
  }
}

void check_tree(const Node& root, const CheckOptions& options, const std::string& file, const Users& users,
                Diagnostics& diagnostics) {
  switch (options.kind == FileKind::kAuto ? detect_kind(root) : options.kind) {
    case FileKind::kTenant: {
      const std::string name = std::filesystem::path(file).stem().string();
      static_cast<void>(read_tenant_file(root, name, users, diagnostics));
      return;
    }
    case FileKind::kManifest: {
      std::vector<App> apps = read_manifest(root, {}, diagnostics);
      if (!options.home.empty()) check_manifest_files(apps, options.home, diagnostics);
      return;
    }
    case FileKind::kAuto:
    case FileKind::kHost:
      static_cast<void>(read_host_file(root, users, diagnostics));
      return;
  }
}

void check_file(const std::string& file, const CheckOptions& options, const Users& users,
                Diagnostics& diagnostics) {
  // Non-blocking: a FIFO must not make us wait.
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) {
    diagnostics.add({}, "the file cannot be read: " + describe(system_error("open")));
    return;
  }
  if (const auto root = read_tree(fd.get(), diagnostics))
    check_tree(*root, options, file, users, diagnostics);
}

}  // namespace

std::optional<CheckOptions> parse_check_options(const std::vector<std::string_view>& arguments) {
  CheckOptions options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--kind" || argument == "--home") {
      if (++i == arguments.size()) return std::nullopt;
      const auto kind = parse_kind(arguments[i]);
      if (argument == "--home") {
        options.home = arguments[i];
      } else if (kind) {
        options.kind = *kind;
      } else {
        return std::nullopt;
      }
    } else if (argument.starts_with("-")) {
      return std::nullopt;
    } else {
      options.files.emplace_back(argument);
    }
  }
  if (options.files.empty()) return std::nullopt;
  return options;
}

FileKind detect_kind(const Node& root) {
  const auto has = [&](std::string_view name) {
    return std::any_of(root.keys.begin(), root.keys.end(), [&](const Key& key) { return key.name == name; });
  };
  if (has("apps")) return FileKind::kManifest;
  for (const std::string_view key : {"domains", "plan", "user", "uid", "gid", "home", "manifest"}) {
    if (has(key)) return FileKind::kTenant;
  }
  return FileKind::kHost;
}

int run_check(const CheckOptions& options, const Users& users, std::ostream& out) {
  int exit_status = 0;
  for (const std::string& file : options.files) {
    Diagnostics diagnostics;
    check_file(file, options, users, diagnostics);
    for (const std::string& line : diagnostics.lines(file)) out << line << '\n';
    if (!diagnostics.empty()) exit_status = 1;
  }
  return exit_status;
}

}  // namespace rowhouse::config
