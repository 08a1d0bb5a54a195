// The Python stacks of all threads, written to the app's log when the supervisor sends proto::kStacksSignal: it
// does so before it ends a worker whose request is over its time, and when somebody asks (rowhouse stacks).  CPython's
// faulthandler writes them from inside the signal handler, so a thread that holds the GIL for ever is shown too.  A
// crash shows them likewise, and is a crash all the same.
#pragma once

#include <cstddef>
#include <vector>

namespace rowhouse::worker {

// REQUIRES: the interpreter runs; called before the app is imported, which may take the signal over at its own
// loss.  False with a Python exception set when it cannot be done.
[[nodiscard]] bool write_stacks_on_signal();

// Of a share: the signal makes a thread without Python ask one thread of each app after the other to write the stacks of its
// interpreter to the app's log; an app that does not answer within a second is told to have none.
// REQUIRES: the main interpreter runs; called once, before any app is imported; `logs` are those of all apps, in order.
[[nodiscard]] bool write_stacks_of_share_on_signal(const std::vector<int>& logs);
// From the thread that lives as long as the app, inside its interpreter.
void show_in_stacks(std::size_t app);

}  // namespace rowhouse::worker
