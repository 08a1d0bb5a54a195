// The exchange of roots.  After it nothing of the host's tree can be named, and no descriptor to it is left
// (runc's CVE-2024-21626 was one directory descriptor that stayed open).
#include <linux/limits.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "proto/lifeline.h"
#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {

Status pivot_into(UniqueFd root) {
  if (::fchdir(root.get()) != 0) return system_error("fchdir root");
  // pivot_root(2): with the same directory twice the old root ends up on top of the new one, to be taken off.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return system_error("pivot_root");
  if (::umount2(".", MNT_DETACH) != 0) return system_error("umount2");
  if (::chdir("/") != 0) return system_error("chdir /");
  if (::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | kSealedTree, nullptr) != 0)
    return system_error("mount ro /");
  std::array<char, PATH_MAX> where{};
  if (::getcwd(where.data(), where.size()) == nullptr) return system_error("getcwd");
  if (std::string_view(where.data()) != "/") return make_error(ErrorCode::kInvalid, "getcwd");
  root.reset();
  if (::close_range(proto::kControlFd + 1, ~0U, 0) != 0) return system_error("close_range");
  return {};
}

}  // namespace rowhouse::jail
