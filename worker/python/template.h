// The template (preload): a process that has imported the app and forks workers from itself, one for each FORK on its
// lifeline.  It runs no request and has no thread beside the one that imported the app: no other would be in a fork.
#pragma once

#include "proto/causes.h"
#include "worker/lifeline.h"
#include "worker/python/py_ref.h"

namespace rowhouse::worker {

// After the import, with the GIL, in the main thread: refuses threads, and puts everything that lives out of the garbage
// collector's sight, so that it does not write to the memory that all workers share.  A failure has said why.
[[nodiscard]] proto::StartStep settle_template();

// Serves FORKs, with the GIL.  Returns in each new worker, when the supervisor has sent it off: `lifeline` is its own
// then, stdout and stderr are its log, and the app's at-fork hooks have run.  The template itself leaves the process.
void serve_forks(Lifeline& lifeline);

}  // namespace rowhouse::worker
