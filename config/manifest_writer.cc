#include "config/manifest_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/files.h"
#include "config/safe_open.h"

namespace rowhouse::config {
namespace {

constexpr mode_t kNewFileMode = 0600;

// The directory of `path`, opened so that it can be written to disk, and the file's name in it.
Parsed<UniqueFd> open_place(int home, const std::string& path, std::string& name) {
  const std::size_t slash = path.rfind('/');
  name = slash == std::string::npos ? path : path.substr(slash + 1);
  UniqueFd directory(::fcntl(home, F_DUPFD_CLOEXEC, 3));
  if (slash != std::string::npos) {
    Parsed<UniqueFd> below = open_directory_below(home, path.substr(0, slash));
    if (!below.ok()) return Problem{below.problem()};
    directory = below.take();
  }
  UniqueFd readable(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!readable.valid()) return Problem{"cannot be opened: " + describe(system_error("openat"))};
  return readable;
}

}  // namespace

void write_manifest(int home, const std::string& path, const std::string& text, Diagnostics& diagnostics) {
  std::string name;
  Parsed<UniqueFd> opened = open_place(home, path, name);
  if (!opened.ok()) return diagnostics.add({}, "the manifest's directory " + opened.problem());
  const UniqueFd directory = opened.take();
  struct stat status {};
  const bool exists = ::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && !S_ISREG(status.st_mode)) return diagnostics.add({}, "the manifest is not a regular file");
  const mode_t mode = exists ? status.st_mode & 0777 : kNewFileMode;
  const Status written = replace_file(directory.get(), name, text, mode);
  if (!written.ok()) diagnostics.add({}, "the manifest cannot be written: " + describe(written.error()));
}

}  // namespace rowhouse::config
