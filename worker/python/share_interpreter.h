// An interpreter of its own for an app that shares its process.
#pragma once

#include "proto/worker_part.h"

namespace rowhouse::worker {

// Makes one and puts the calling thread into it, with its GIL.  The thread must be new to Python: what a C extension asks
// by PyGILState_Ensure is then answered with this interpreter, in this thread and in those that the app starts.  False, with
// a sentence said, when Python cannot.
[[nodiscard]] bool enter_new_interpreter(proto::GilOwner gil);

// Gives it a log, an environment and arguments of its own, and refuses extension modules that would break in it
// (share_runtime.py).  Before the app is imported.  False, with a sentence said, when that fails.
[[nodiscard]] bool settle_interpreter(const proto::WorkerPart& part, int log);

}  // namespace rowhouse::worker
