// /dev: five harmless devices, read-only in everything but their data, and the usual links.  No terminal, no
// disk, no /dev/kmsg.
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {

Status bind_devices(int root) {
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    RH_ASSIGN(const UniqueFd tree, copy_tree(AT_FDCWD, path));
    RH_ASSIGN(const UniqueFd target, make_mount_point(root, path, tree.get()));
    RH_TRY(place_tree(tree.get(), target.get(), kDeviceNode));
  }
  struct Link {
    const char* name;
    const char* target;
  };
  for (const Link& link : {Link{"dev/fd", "/proc/self/fd"}, Link{"dev/stdin", "/proc/self/fd/0"},
                           Link{"dev/stdout", "/proc/self/fd/1"}, Link{"dev/stderr", "/proc/self/fd/2"}}) {
    if (::symlinkat(link.target, root, link.name) != 0) return system_error("symlinkat dev");
  }
  return {};
}

}  // namespace rowhouse::jail
