// Capabilities: every way to get one is closed first (securebits, bounding set), then, as the tenant, every
// set is emptied.
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "supervisor/jail/steps.h"

namespace rowhouse::jail {
namespace {

// KEEP_CAPS itself is off: only its lock is in the set.
constexpr unsigned long kSecureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                      SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                      SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

}  // namespace

Status close_capability_sources() {
  if (::prctl(PR_SET_SECUREBITS, kSecureBits, 0, 0, 0) != 0) return system_error("prctl PR_SET_SECUREBITS");
  // The kernel itself says where its capabilities end: a table of ours would leave those of a newer kernel.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return system_error("prctl PR_CAPBSET_DROP");
  }
  if (errno != EINVAL) return system_error("prctl PR_CAPBSET_READ");
  return {};
}

Status clear_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0) return system_error("capset");
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return system_error("prctl PR_CAP_AMBIENT");
  return {};
}

}  // namespace rowhouse::jail
