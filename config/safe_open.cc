#include "config/safe_open.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace rowhouse::config {
namespace {

constexpr int kMaxAttempts = 16;  // openat2(2): EAGAIN when a rename raced with the resolution

constexpr std::uint64_t kDirectoryFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
constexpr std::uint64_t kFileFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
constexpr std::uint64_t kAnywhere = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t kBelow = kAnywhere | RESOLVE_BENEATH;

// REQUIRES: errno is of the failed openat2.  `noun` is what was wanted.
Problem open_problem(const std::string& noun) {
  switch (errno) {
    case ENOENT:
      return Problem{"does not exist"};
    case ELOOP:
      return Problem{"is not a " + noun + " (symbolic links are not followed)"};
    case ENOTDIR:
    case ENXIO:
      return Problem{"is not a " + noun};  // ENXIO: a socket
    case EXDEV:
      return Problem{"is not below the home"};
    default:
      return Problem{std::string("cannot be opened: ") + std::strerror(errno)};
  }
}

Parsed<UniqueFd> open_resolved(int directory, const std::string& path, std::uint64_t flags,
                               std::uint64_t resolve, const std::string& noun) {
  open_how how{};
  how.flags = flags;
  how.resolve = resolve;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if ((errno != EAGAIN && errno != EINTR) || attempt == kMaxAttempts) return open_problem(noun);
  }
}

Parsed<UniqueFd> require_owner(Parsed<UniqueFd> opened, uid_t owner) {
  if (!opened.ok()) return opened;
  struct stat status {};
  if (::fstat(opened.value().get(), &status) != 0) return open_problem("directory");
  if (status.st_uid == owner) return opened;
  return Problem{"is owned by uid " + std::to_string(status.st_uid) + ", not by the tenant (uid " +
                 std::to_string(owner) + ")"};
}

}  // namespace

Parsed<UniqueFd> open_home(const std::string& path, uid_t owner) {
  return require_owner(open_resolved(AT_FDCWD, path, kDirectoryFlags, kAnywhere, "directory"), owner);
}

Parsed<UniqueFd> open_directory_below(int home, const std::string& path) {
  return open_resolved(home, path, kDirectoryFlags, kBelow, "directory");
}

Parsed<UniqueFd> open_owned_directory_below(int home, const std::string& path, uid_t owner) {
  return require_owner(open_directory_below(home, path), owner);
}

Parsed<UniqueFd> open_file_below(int home, const std::string& path) {
  Parsed<UniqueFd> opened = open_resolved(home, path, kFileFlags, kBelow, "regular file");
  if (opened.ok() && !is_regular_file(opened.value().get())) return Problem{"is not a regular file"};
  return opened;
}

bool is_regular_file(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace rowhouse::config
