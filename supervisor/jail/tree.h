// The few mount operations that the sandbox is made of.  Everything works on descriptors: no path is resolved
// twice, and nothing below the new root is ever reached through a symbolic link.
#pragma once

#include <sys/mount.h>

#include <initializer_list>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::jail {

inline constexpr unsigned long kReadOnlyTree = MS_RDONLY | MS_NOSUID | MS_NODEV;
inline constexpr unsigned long kWritableTree =
    MS_NOSUID | MS_NODEV;  // not noexec: extension modules live there
inline constexpr unsigned long kDeviceNode = MS_RDONLY | MS_NOSUID | MS_NOEXEC;
inline constexpr unsigned long kSealedTree = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

struct MountOption {
  const char* key;
  const char* value;
};

// A new, detached instance of a filesystem: "tmpfs", "proc".  `attributes` are of fsmount(2).
Result<UniqueFd> create_filesystem(const char* type, std::initializer_list<MountOption> options,
                                   unsigned attributes);

// A detached copy of what is mounted at `path`, without the mounts below it.  kNotFound when there is
// nothing.
Result<UniqueFd> copy_tree(int directory, const char* path);

// The directory `path` below `root` (relative, or absolute and then taken as relative), made with its
// parents, 0755, where they do not exist.  A symbolic link on the way is an error.
Result<UniqueFd> make_directory(int root, std::string_view path);

// The empty file or directory `path` below `root` to mount `tree` on: what `tree` itself is.
Result<UniqueFd> make_mount_point(int root, std::string_view path, int tree);

// Mounts the detached `tree` on `target`.  attach_tree leaves its flags, place_tree sets them (keeping a
// noexec or read-only of the host's) and makes the mount private, so that no later mount of the host's
// travels into the sandbox.
Status attach_tree(int tree, int target);
Status place_tree(int tree, int target, unsigned long flags);

}  // namespace rowhouse::jail
