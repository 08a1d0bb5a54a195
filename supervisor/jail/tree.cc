#include "supervisor/jail/tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cstdio>
#include <string>

namespace rowhouse::jail {
namespace {

constexpr int kWalk = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// The path under which the kernel knows what a descriptor refers to; never read back, never walked further.
std::array<char, 32> path_of(int fd) {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
  return path;
}

Result<UniqueFd> make_step(int parent, const std::string& name) {
  if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST) return system_error("mkdirat");
  UniqueFd made(::openat(parent, name.c_str(), kWalk));
  if (!made.valid()) return system_error("openat directory");
  return made;
}

}  // namespace

Result<UniqueFd> create_filesystem(const char* type, std::initializer_list<MountOption> options,
                                   unsigned attributes) {
  const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context.valid()) return system_error("fsopen");
  for (const MountOption& option : options) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key, option.value, 0) != 0) {
      return system_error("fsconfig");
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return system_error("fsconfig create");
  UniqueFd tree(::fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!tree.valid()) return system_error("fsmount");
  return tree;
}

Result<UniqueFd> copy_tree(int directory, const char* path) {
  UniqueFd tree(::open_tree(directory, path,
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (*path == '\0' ? AT_EMPTY_PATH : 0)));
  if (tree.valid()) return tree;
  if (errno == ENOENT) return Error{ErrorCode::kNotFound, "open_tree", ENOENT};
  return system_error("open_tree");
}

Result<UniqueFd> make_directory(int root, std::string_view path) {
  UniqueFd at(::openat(root, ".", kWalk));
  if (!at.valid()) return system_error("openat root");
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(name.size() == path.size() ? name.size() : name.size() + 1);
    if (name.empty()) continue;
    RH_ASSIGN(at, make_step(at.get(), std::string(name)));
  }
  return at;
}

Result<UniqueFd> make_mount_point(int root, std::string_view path, int tree) {
  struct stat status {};
  if (::fstat(tree, &status) != 0) return system_error("fstat tree");
  if (S_ISDIR(status.st_mode)) return make_directory(root, path);
  const std::size_t slash = path.rfind('/');
  const std::string_view parent = slash == path.npos ? std::string_view() : path.substr(0, slash);
  const std::string name(slash == path.npos ? path : path.substr(slash + 1));
  RH_ASSIGN(const UniqueFd directory, make_directory(root, parent));
  if (::mknodat(directory.get(), name.c_str(), S_IFREG | 0644, 0) != 0 && errno != EEXIST)
    return system_error("mknodat");
  UniqueFd target(::openat(directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!target.valid()) return system_error("openat mount point");
  return target;
}

Status attach_tree(int tree, int target) {
  if (::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return system_error("move_mount");
  }
  return {};
}

Status place_tree(int tree, int target, unsigned long flags) {
  // What the host forbids on this mount stays forbidden: a remount would otherwise clear it.
  struct statvfs status {};
  if (::fstatvfs(tree, &status) != 0) return system_error("fstatvfs");
  if ((status.f_flag & ST_RDONLY) != 0) flags |= MS_RDONLY;
  if ((status.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  RH_TRY(attach_tree(tree, target));
  const auto mounted = path_of(tree);
  if (::mount(nullptr, mounted.data(), nullptr, MS_REMOUNT | MS_BIND | flags, nullptr) != 0) {
    return system_error("mount remount");
  }
  if (::mount(nullptr, mounted.data(), nullptr, MS_PRIVATE, nullptr) != 0)
    return system_error("mount private");
  return {};
}

}  // namespace rowhouse::jail
