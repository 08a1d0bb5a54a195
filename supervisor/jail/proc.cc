// /proc of the sandbox's own pid namespace.  The files that tell about the whole machine or reach into the
// kernel are covered by /dev/null, directories of that kind by the empty /run; what sets kernel parameters is
// read-only.
#include <fcntl.h>
#include <sys/stat.h>

#include <string>

#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {
namespace {

// Places what is mounted at `source` (below root) on /proc/`name`; a name that this kernel lacks is no loss.
Status cover(int root, const char* source, const char* name, unsigned long flags) {
  const std::string path = std::string("proc/") + name;
  struct stat status {};
  if (::fstatat(root, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return system_error("fstatat proc");
  }
  RH_ASSIGN(const UniqueFd tree, copy_tree(root, source != nullptr ? source : path.c_str()));
  RH_ASSIGN(const UniqueFd target, make_mount_point(root, path, tree.get()));
  return place_tree(tree.get(), target.get(), flags);
}

}  // namespace

Status mount_proc(int root) {
  RH_ASSIGN(const UniqueFd proc,
            create_filesystem("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  RH_ASSIGN(const UniqueFd target, make_directory(root, "proc"));
  RH_TRY(attach_tree(proc.get(), target.get()));
  for (const char* file :
       {"kcore", "keys", "key-users", "timer_list", "kallsyms", "kmsg", "sched_debug", "latency_stats"}) {
    RH_TRY(cover(root, "dev/null", file, kDeviceNode));
  }
  for (const char* directory : {"acpi", "asound", "scsi"}) RH_TRY(cover(root, "run", directory, kSealedTree));
  for (const char* name : {"sys", "sysrq-trigger", "irq", "bus", "fs"})
    RH_TRY(cover(root, nullptr, name, kSealedTree));
  return {};
}

}  // namespace rowhouse::jail
