// The Python stacks of all threads, written to the app's log when the supervisor sends proto::kStacksSignal: it
// does so before it ends a worker whose request is over its time, and when somebody asks (rowhouse stacks).  CPython's
// faulthandler writes them from inside the signal handler, so a thread that holds the GIL for ever is shown too.  A
// crash shows them likewise, and is a crash all the same.
#pragma once

namespace rowhouse::worker {

// REQUIRES: the interpreter runs; called before the app is imported, which may take the signal over at its own
// loss.  False with a Python exception set when it cannot be done.
[[nodiscard]] bool write_stacks_on_signal();

}  // namespace rowhouse::worker
