#include "config/manifest_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <ctime>

#include "config/safe_open.h"

namespace rowhouse::config {
namespace {

// A file that is replaced by rename(2) or unlinked loses a link, which is an IN_ATTRIB of the old one.
constexpr std::uint32_t kFileEvents = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
// The directory's own names count only while there is no manifest: a home in which other files come and go all the
// time is not looked at all the time.
constexpr std::uint32_t kDirectoryEvents = IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kNameEvents = IN_CREATE | IN_MOVED_TO | IN_ATTRIB;

// The kernel's file times are this coarse at most: a file that was changed less than this ago may change again
// without getting another time.
constexpr std::int64_t kFreshNs = 100'000'000;

bool add_watch(int inotify, int fd, std::uint32_t events) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::inotify_add_watch(inotify, path.c_str(), events) >= 0;
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

UniqueFd watch_manifest(int home, const std::string& manifest) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) return inotify;
  const std::size_t slash = manifest.rfind('/');
  const auto directory = open_directory_below(home, slash == std::string::npos ? "." : manifest.substr(0, slash));
  if (!directory.ok()) return UniqueFd();
  const auto file = open_file_below(home, manifest);
  const bool watched = file.ok() && add_watch(inotify.get(), file.value().get(), kFileEvents);
  const std::uint32_t events = watched ? kDirectoryEvents : kDirectoryEvents | kNameEvents;
  if (!add_watch(inotify.get(), directory.value().get(), events)) return UniqueFd();
  return inotify;
}

proto::FileIdentity identify_file(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (nanoseconds(now) - nanoseconds(status.st_ctim) < kFreshNs) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

}  // namespace rowhouse::config
