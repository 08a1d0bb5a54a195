// The new root: an empty tmpfs with what every program needs to run, all of it read-only.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/files.h"
#include "supervisor/jail/mount_table.h"
#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {
namespace {

constexpr std::size_t kMaxMountTableBytes = 16 * 1024 * 1024;
constexpr std::array kSystemLinks = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

// /bin and its like: a link on hosts with a merged /usr, a directory of its own on others, or absent.
Status copy_system_entry(int root, const char* name) {
  const std::string path = std::string("/") + name;
  std::array<char, 256> target{};
  const ssize_t size = ::readlink(path.c_str(), target.data(), target.size() - 1);
  if (size > 0) {
    if (::symlinkat(target.data(), root, name) != 0) return system_error("symlinkat");
    return {};
  }
  if (errno == ENOENT) return {};
  if (errno != EINVAL) return system_error("readlink");
  RH_ASSIGN(const UniqueFd tree, copy_tree(AT_FDCWD, path.c_str()));
  RH_ASSIGN(const UniqueFd target_directory, make_directory(root, name));
  return place_tree(tree.get(), target_directory.get(), kReadOnlyTree);
}

Status bind_system_tree(int root, const std::string& path) {
  RH_ASSIGN(const UniqueFd tree, copy_tree(AT_FDCWD, path.c_str()));
  RH_ASSIGN(const UniqueFd target, make_mount_point(root, path, tree.get()));
  return place_tree(tree.get(), target.get(), kReadOnlyTree);
}

}  // namespace

Result<UniqueFd> create_root() {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return system_error("mount private /");
  RH_ASSIGN(UniqueFd root,
            create_filesystem("tmpfs", {{"size", "4m"}, {"nr_inodes", "512"}, {"mode", "0755"}},
                              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  // Mounted on top of "/" it hides nothing: our own "/" stays the one below it until pivot_root.
  const UniqueFd below(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!below.valid()) return system_error("open /");
  RH_TRY(attach_tree(root.get(), below.get()));
  for (const char* empty : {"run", "sys", "proc", "dev/shm", "tmp", "var/tmp"})
    RH_TRY(make_directory(root.get(), empty));
  // Programs look for the sockets of databases there.
  if (::symlinkat("/run", root.get(), "var/run") != 0) return system_error("symlinkat var/run");
  return root;
}

Status bind_usr(int root) {
  RH_TRY(bind_system_tree(root, "/usr"));
  RH_ASSIGN(const std::string table, read_file(AT_FDCWD, "/proc/self/mountinfo", kMaxMountTableBytes));
  for (const std::string& path : mounts_below(table, "/usr")) RH_TRY(bind_system_tree(root, path));
  for (const char* name : kSystemLinks) RH_TRY(copy_system_entry(root, name));
  return {};
}

Status place_received(int root, const std::vector<ReceivedMount>& mounts) {
  for (const ReceivedMount& mount : mounts) {
    RH_ASSIGN(const UniqueFd target, make_mount_point(root, mount.path.view(), mount.tree.get()));
    RH_TRY(place_tree(mount.tree.get(), target.get(), kReadOnlyTree));
  }
  return {};
}

}  // namespace rowhouse::jail
