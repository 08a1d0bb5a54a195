#include "supervisor/tenant_files.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "base/log.h"
#include "supervisor/directories.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                                  IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;
// A file that was changed less than this ago may change again without getting another time.
constexpr std::int64_t kFreshNs = 100'000'000;

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// All 0 for a file that is fresh or cannot be asked: it counts as changed at every look.
proto::FileIdentity identify(int directory, const std::string& file) {
  struct stat status {};
  if (::fstatat(directory, file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (nanoseconds(now) - nanoseconds(status.st_ctim) < kFreshNs) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

}  // namespace

FileChanges compare_listings(const FileListing& before, const FileListing& now) {
  FileChanges changes;
  for (const auto& [name, identity] : now) {
    const auto known = before.find(name);
    const bool same = known != before.end() && known->second == identity && identity != proto::FileIdentity{};
    if (!same) changes.changed.push_back(name);
  }
  for (const auto& [name, identity] : before) {
    if (!now.contains(name)) changes.removed.push_back(name);
  }
  return changes;
}

bool looks_lost(const FileListing& before, const FileListing& now) { return now.empty() && before.size() >= 2; }

TenantFiles::TenantFiles(uv_loop_t* loop, std::string path, std::function<void()> on_event)
    : loop_(loop), path_(std::move(path)), on_event_(std::move(on_event)), settle_(loop, [this] { on_event_(); }) {}

TenantFiles::~TenantFiles() {
  if (poll_ != nullptr) poll_->stop();
}

Result<FileListing> TenantFiles::list(std::string& problem) {
  RH_ASSIGN(directory_, open_trusted_directory(path_, problem));
  watch();
  problem = path_ + " cannot be listed";
  RH_ASSIGN(const std::vector<std::string> names, list_tenant_files(directory_.get()));
  problem.clear();
  FileListing listing;
  for (const std::string& name : names) listing[name] = identify(directory_.get(), name + ".yaml");
  return listing;
}

void TenantFiles::remind(std::chrono::milliseconds after) {
  if (!settle_.active()) settle_.start(after);
}

// Before the listing, so that no change falls between.
void TenantFiles::watch() {
  struct stat status {};
  if (::fstat(directory_.get(), &status) != 0) return;
  if (inotify_.valid() && watched_.device == status.st_dev && watched_.inode == status.st_ino) return;
  if (poll_ != nullptr) poll_->stop();
  poll_.reset();
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const std::string own = "/proc/self/fd/" + std::to_string(directory_.get());
  if (!inotify_.valid() || ::inotify_add_watch(inotify_.get(), own.c_str(), kEvents) < 0) {
    log_warning("directory is not watched; use rowhouse reload", {{"directory", path_}});
    inotify_.reset();
    return;
  }
  watched_.device = status.st_dev;
  watched_.inode = status.st_ino;
  poll_ = std::make_unique<Poll>(loop_, inotify_.get(), [this](int) { on_readable(); });
  poll_->watch(UV_READABLE);
}

void TenantFiles::on_readable() {
  std::array<char, 16 * 1024> ignored;
  while (::read(inotify_.get(), ignored.data(), ignored.size()) > 0) {
  }
  if (!settle_.active()) settle_.start(kSettle);
}

}  // namespace rowhouse::supervisor
