// The rule for every path that root relies on (OpenSSH's safe_path): each directory on it belongs to root and
// is not writable by its group or others; a sticky one, like /tmp, may be.
#pragma once

#include <sys/types.h>

#include <string>

namespace rowhouse {

[[nodiscard]] bool is_trusted_directory(uid_t owner, mode_t mode);

struct PathVerdict {
  enum class Kind {
    kTrusted,
    kLastMissing,   // the last component does not exist, all above it can be trusted
    kAboveMissing,  // one above it does not exist
    kRefused,
  };
  Kind kind = Kind::kRefused;
  std::string sentence;  // which component, and what is wrong with it; empty: nothing
};

// Walks a path to a directory without following links.  Needs no right to read the directories.
[[nodiscard]] PathVerdict judge_directory_path(const std::string& path);

}  // namespace rowhouse
