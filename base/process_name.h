// The name of this process as ps, top and pgrep show it, cut to 15 bytes (prctl(2), PR_SET_NAME).
//
// A program that is executed by descriptor is named after that descriptor's number on kernels before 6.14.
#pragma once

#include <sys/prctl.h>

namespace rowhouse {

inline void set_process_name(const char* name) { ::prctl(PR_SET_NAME, name, 0, 0, 0); }

}  // namespace rowhouse
