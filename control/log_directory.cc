#include "control/log_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace rowhouse::control {
namespace {

constexpr mode_t kDirectoryMode = 0750;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

enum class Made { kNow, kBefore };

struct OpenedDirectory {
  UniqueFd fd;
  Made made = Made::kBefore;
};

Result<OpenedDirectory> open_below(int parent, const std::string& name, Missing missing) {
  OpenedDirectory opened;
  if (missing == Missing::kCreate) {
    if (::mkdirat(parent, name.c_str(), kDirectoryMode) == 0) {
      opened.made = Made::kNow;
    } else if (errno != EEXIST) {
      return system_error("mkdirat log directory");
    }
  }
  opened.fd.reset(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (opened.fd.valid()) return opened;
  if (errno == ENOENT) return make_error(ErrorCode::kNotFound, "openat log directory");
  return system_error("openat log directory");
}

// The entries of a directory, except "." and "..".
std::vector<std::string> entries_of(int directory_fd) {
  std::vector<std::string> names;
  const int copy = ::openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const Directory directory(copy >= 0 ? ::fdopendir(copy) : nullptr);
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  return names;
}

// Removes the directory `name` of an app with its log files.
void remove_app_directory(int tenant_fd, const std::string& name) {
  auto app = open_below(tenant_fd, name, Missing::kFail);
  if (!app.ok()) return;
  const int app_fd = app.value().fd.get();
  for (const std::string& file : entries_of(app_fd)) ::unlinkat(app_fd, file.c_str(), 0);
  ::unlinkat(tenant_fd, name.c_str(), AT_REMOVEDIR);
}

// When the log of an app was written last, in seconds; nothing when it is no directory of ours.
std::optional<std::int64_t> last_written(int tenant_fd, const std::string& name) {
  struct stat status {};
  const std::string file = name + "/app.log";
  if (::fstatat(tenant_fd, file.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status.st_mtime;
  if (::fstatat(tenant_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status.st_mtime;
  return std::nullopt;
}

void limit_directories(int tenant_fd, const std::string& newest) {
  const std::vector<std::string> names = entries_of(tenant_fd);
  if (names.size() <= LogDirectory::kMaxDirectoriesPerTenant) return;
  const std::string* oldest = nullptr;
  std::int64_t oldest_seconds = 0;
  for (const std::string& name : names) {
    const auto seconds = name == newest ? std::nullopt : last_written(tenant_fd, name);
    if (!seconds || (oldest != nullptr && *seconds >= oldest_seconds)) continue;
    oldest = &name;
    oldest_seconds = *seconds;
  }
  if (oldest != nullptr) remove_app_directory(tenant_fd, *oldest);
}

}  // namespace

Result<UniqueFd> LogDirectory::open_app(const AppName& name, Missing missing) const {
  if (name == kGatewayLog) {
    RH_ASSIGN(OpenedDirectory gateway, open_below(root_.get(), name.tenant, missing));
    return std::move(gateway.fd);
  }
  if (!is_name(name.tenant) || !is_name(name.app))
    return make_error(ErrorCode::kInvalid, "log directory name");
  RH_ASSIGN(const OpenedDirectory tenant, open_below(root_.get(), name.tenant, missing));
  RH_ASSIGN(OpenedDirectory app, open_below(tenant.fd.get(), name.app, missing));
  if (app.made == Made::kNow) limit_directories(tenant.fd.get(), name.app);
  return std::move(app.fd);
}

Result<UniqueFd> LogDirectory::open_history(const std::string& tenant, Missing missing) const {
  RH_ASSIGN(OpenedDirectory history, open_below(root_.get(), kHistoryName, missing));
  if (tenant.empty()) return std::move(history.fd);
  if (!is_name(tenant)) return make_error(ErrorCode::kInvalid, "history directory name");
  RH_ASSIGN(OpenedDirectory own, open_below(history.fd.get(), tenant, missing));
  return std::move(own.fd);
}

void LogDirectory::limit_history(int tenant_fd, const std::string& newest) const {
  const std::vector<std::string> names = entries_of(tenant_fd);
  if (names.size() <= kMaxDirectoriesPerTenant) return;
  const std::string* oldest = nullptr;
  std::int64_t oldest_seconds = 0;
  for (const std::string& name : names) {
    struct stat status {};
    if (name == newest || ::fstatat(tenant_fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (oldest != nullptr && status.st_mtime >= oldest_seconds) continue;
    oldest = &name;
    oldest_seconds = status.st_mtime;
  }
  if (oldest != nullptr) ::unlinkat(tenant_fd, oldest->c_str(), 0);
}

void LogDirectory::remove_tenant(const std::string& tenant) const {
  if (!is_name(tenant)) return;
  if (const auto own = open_below(root_.get(), tenant, Missing::kFail); own.ok()) {
    for (const std::string& app : entries_of(own.value().fd.get())) remove_app_directory(own.value().fd.get(), app);
    ::unlinkat(root_.get(), tenant.c_str(), AT_REMOVEDIR);
  }
  const auto history = open_history("", Missing::kFail);
  if (history.ok()) remove_app_directory(history.value().get(), tenant);
}

}  // namespace rowhouse::control
