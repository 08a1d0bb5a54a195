// /tmp, /var/tmp and /dev/shm: each a tmpfs of its own that ends with the sandbox.  Their pages count as the
// app's memory in its cgroup; the sizes here keep a full /tmp from becoming an out-of-memory death.
#include <array>
#include <string>

#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {

Status mount_temporary(int root, const proto::JailSetup& setup) {
  const std::string size = std::to_string(setup.tmp_bytes);
  const std::string inodes = std::to_string(setup.tmp_inodes);
  for (const char* path : {"tmp", "var/tmp", "dev/shm"}) {
    RH_ASSIGN(
        const UniqueFd tree,
        create_filesystem("tmpfs", {{"size", size.c_str()}, {"nr_inodes", inodes.c_str()}, {"mode", "1777"}},
                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
    RH_ASSIGN(const UniqueFd target, make_directory(root, path));
    RH_TRY(attach_tree(tree.get(), target.get()));
  }
  return {};
}

}  // namespace rowhouse::jail
