// CPython in this process: started isolated, with the app's virtualenv as its executable says, and left
// without finalisation.
#pragma once

#include <string>

#include "proto/worker_part.h"
#include "worker/python/py_ref.h"
#include "worker/start.h"

namespace rowhouse::worker {

// The version that this program was compiled against, and the prefix of that installation.
[[nodiscard]] PythonVersion embedded_python();
[[nodiscard]] const char* embedded_prefix();

// Starts the interpreter; the caller holds the GIL afterwards.  Prints one sentence and returns false when
// Python does not start.
[[nodiscard]] bool start_interpreter(const proto::WorkerPart& part);

// Signals that Python handles also write a byte to this descriptor, which does not block; in a forked child
// they do not.  In the main thread, before the app is imported.  False with an exception pending.
[[nodiscard]] bool wake_on_signals(int descriptor);

// What the end of a Python program does - non-daemon threads are joined, atexit callbacks run, stdout and
// stderr are flushed - short of taking the interpreter down, which can hang or crash.  In the main thread,
// with the GIL.
void run_exit_functions();
void flush_standard_streams();

}  // namespace rowhouse::worker
