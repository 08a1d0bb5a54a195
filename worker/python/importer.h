// From the manifest's `wsgi:` to a callable.  Every failure prints its traceback, if there is one, and one
// sentence, which is the last line, and gives the step that failed.
#pragma once

#include "proto/causes.h"
#include "proto/worker_part.h"
#include "worker/python/py_ref.h"

namespace rowhouse::worker {

// Puts the app's directory first on sys.path, imports the module or runs the script file, and finds the
// callable.
[[nodiscard]] proto::StartStep load_callable(const proto::WorkerPart& part, PyOwned& callable);

}  // namespace rowhouse::worker
