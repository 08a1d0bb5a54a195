// From here on no exec gains anything, and no process of the same uid may trace or read this one.
#include <sys/prctl.h>

#include "supervisor/jail/steps.h"

namespace rowhouse::jail {

Status forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error("prctl PR_SET_NO_NEW_PRIVS");
  // The steward lives with this for ever: it never calls exec, which would reset it (THREATS S25).
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return system_error("prctl PR_SET_DUMPABLE");
  return {};
}

}  // namespace rowhouse::jail
