#include "supervisor/jail/watched_files.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <limits>

namespace rowhouse::jail {
namespace {

// A file that is replaced by rename(2) or unlinked loses a link, which is an IN_ATTRIB of the old one.
constexpr std::uint32_t kFileEvents = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
// Above it: another directory may take the place of one.
constexpr std::uint32_t kDirectoryEvents = IN_MOVE_SELF | IN_DELETE_SELF;
// Of the nearest directory that is there, only while the file is not: a busy directory wakes nobody else.
constexpr std::uint32_t kNameEvents = kDirectoryEvents | IN_CREATE | IN_MOVED_TO;

bool add_watch(int inotify, const std::string& path, std::uint32_t events) {
  // Several files may lie in one directory: their events add up.
  return ::inotify_add_watch(inotify, path.c_str(), events | IN_DONT_FOLLOW | IN_MASK_ADD) >= 0;
}

}  // namespace

WatchedFiles::WatchedFiles(std::string home, std::vector<std::string> paths) : home_(std::move(home)) {
  for (std::string& path : paths) files_.push_back({std::move(path), std::nullopt});
}

std::optional<WatchedFiles::Identity> WatchedFiles::identify(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return Identity{status.st_dev, status.st_ino, status.st_size,
                  std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void WatchedFiles::begin(Instant now) {
  if (files_.empty()) return;
  const LookTimes::Watched watched = watch();
  for (File& file : files_) file.last = identify(file.path);
  times_.on_looked(now, watched);
}

int WatchedFiles::timeout_ms(Instant now) const {
  const auto due = times_.due();
  if (!due) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

// Watches first, so that no change falls between, and anew each time: directories may be others by now, and what has
// piled up in the old queue goes with it.
bool WatchedFiles::look(Instant now) {
  const LookTimes::Watched watched = watch();
  bool touched = false;
  for (File& file : files_) {
    const auto now_there = identify(file.path);
    touched = touched || (now_there && now_there != file.last);
    file.last = now_there;
  }
  times_.on_looked(now, watched);
  return touched;
}

LookTimes::Watched WatchedFiles::watch() {
  inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_.valid()) return LookTimes::Watched::kNotAll;
  bool all = true;
  for (const File& file : files_) all = watch_file(file.path) && all;
  return all ? LookTimes::Watched::kAll : LookTimes::Watched::kNotAll;
}

// The file, or what has its place, and the directories above it up to the home.
bool WatchedFiles::watch_file(const std::string& path) {
  bool there = add_watch(inotify_.get(), path, kFileEvents);
  bool all = there || errno == ENOENT || errno == ENOTDIR;
  std::string directory = path;
  for (std::size_t slash = directory.rfind('/'); slash != std::string::npos && slash >= home_.size();
       slash = directory.rfind('/')) {
    directory.resize(slash);
    const bool watched = add_watch(inotify_.get(), directory, there ? kDirectoryEvents : kNameEvents);
    if (!watched && errno != ENOENT && errno != ENOTDIR) all = false;
    there = there || watched;
  }
  return all && there;
}

}  // namespace rowhouse::jail
