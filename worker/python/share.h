// Several apps of one tenant in one process (manifest: share): each in an interpreter of its own, with a thread that lives
// the app's life (app_life.h), a scheduler and request threads or an event loop of its own, a log, an environment, a working
// directory.  The main thread stays in the main interpreter, where no app runs, and relays (share_relay.h).
#pragma once

#include "proto/worker_part.h"
#include "worker/lifeline.h"

namespace rowhouse::worker {

// In the main thread, with the GIL, which it never gets back.  Returns when all apps are drained and DRAINED is sent; a start
// that fails ends the process.
void serve_share(Lifeline& lifeline, const proto::WorkerPart& part);

}  // namespace rowhouse::worker
