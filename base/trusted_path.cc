#include "base/trusted_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "base/unique_fd.h"

namespace rowhouse {
namespace {

constexpr mode_t kPermissionBits = 07777;

PathVerdict refused(std::string sentence) {
  return {PathVerdict::Kind::kRefused, std::move(sentence)};
}

std::string octal(mode_t mode) {
  std::ostringstream text;
  text << std::oct << '0' << (mode & kPermissionBits);
  return text.str();
}

}  // namespace

bool is_trusted_directory(uid_t owner, mode_t mode) {
  const bool open_to_others = (mode & (S_IWGRP | S_IWOTH)) != 0;
  return owner == 0 && (!open_to_others || (mode & S_ISVTX) != 0);
}

PathVerdict judge_directory_path(const std::string& path) {
  if (!path.starts_with('/')) return refused("\"" + path + "\" is not an absolute path");
  UniqueFd directory(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::istringstream components(path);
  std::string walked;
  for (std::string name; std::getline(components, name, '/');) {
    if (name.empty()) continue;
    walked += "/" + name;
    const bool last = components.eof();
    UniqueFd next(::openat(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid() && errno == ENOENT) {
      const auto kind = last ? PathVerdict::Kind::kLastMissing : PathVerdict::Kind::kAboveMissing;
      return {kind, walked + " does not exist"};
    }
    struct stat status {};
    if (!next.valid() || ::fstat(next.get(), &status) != 0)
      return refused(walked + ": " + std::strerror(errno));
    if (S_ISLNK(status.st_mode)) return refused(walked + " is a symbolic link");
    if (!S_ISDIR(status.st_mode)) return refused(walked + " is not a directory");
    if (!is_trusted_directory(status.st_uid, status.st_mode)) {
      return refused(walked + " belongs to uid " + std::to_string(status.st_uid) + " and has mode " +
                     octal(status.st_mode));
    }
    directory = std::move(next);
  }
  return {PathVerdict::Kind::kTrusted, ""};
}

}  // namespace rowhouse
