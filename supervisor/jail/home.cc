// The home.  Its path runs through directories that the tenant may own and change at this very moment, so it
// is opened once, with the tenant's own rights and without following a link, checked as a descriptor, and
// mounted as that descriptor (THREATS S18, B5).
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/jail/steps.h"
#include "supervisor/jail/tree.h"

namespace rowhouse::jail {
namespace {

// File access with the tenant's rights while it lives: a filesystem uid other than 0 also takes away the
// capabilities that override permissions (capabilities(7)).  setfsuid(2) reports no errors, so entering is
// checked.
class TenantFileRights {
 public:
  Status enter(std::uint32_t uid, std::uint32_t gid) {
    if (::setgroups(0, nullptr) != 0) return system_error("setgroups");
    ::setfsgid(gid);
    ::setfsuid(uid);
    entered_ = true;
    const bool changed = static_cast<std::uint32_t>(::setfsuid(static_cast<uid_t>(-1))) == uid &&
                         static_cast<std::uint32_t>(::setfsgid(static_cast<gid_t>(-1))) == gid;
    if (!changed) return make_error(ErrorCode::kInvalid, "setfsuid");
    return {};
  }
  TenantFileRights() = default;
  TenantFileRights(const TenantFileRights&) = delete;
  TenantFileRights& operator=(const TenantFileRights&) = delete;
  ~TenantFileRights() {
    if (!entered_) return;
    ::setfsuid(0);
    ::setfsgid(0);
  }

 private:
  bool entered_ = false;
};

Result<UniqueFd> open_home(const proto::JailSetup& setup) {
  TenantFileRights rights;
  RH_TRY(rights.enter(setup.uid, setup.gid));
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const std::string path = setup.home.str();
  UniqueFd home(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how)));
  if (!home.valid()) return system_error("openat2 home");
  return home;
}

}  // namespace

Status bind_home(int root, const proto::JailSetup& setup) {
  RH_ASSIGN(const UniqueFd home, open_home(setup));
  struct stat status {};
  if (::fstat(home.get(), &status) != 0) return system_error("fstat home");
  if (status.st_uid != setup.uid) return Error{ErrorCode::kInvalid, "home of another owner", EPERM};
  RH_ASSIGN(const UniqueFd tree, copy_tree(home.get(), ""));
  RH_ASSIGN(const UniqueFd target, make_directory(root, setup.home.view()));
  return place_tree(tree.get(), target.get(), kWritableTree);
}

}  // namespace rowhouse::jail
