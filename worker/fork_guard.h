// What must not survive a fork in app code: a child of the app may not answer on the worker's channels, speak
// on its lifeline, or drain the worker by receiving a SIGTERM that was meant for it.  Descriptors are listed
// here while they are open; a handler of pthread_atfork(3) closes them in the child.
#pragma once

namespace rowhouse::worker {

// Called once, before the app is imported.
void install_fork_guard();

// Lists a descriptor to close in children, and takes it off before it is closed here.  At most
// kMaxGuardedDescriptors; false when the list is full.
inline constexpr int kMaxGuardedDescriptors = 96 * 8;  // for each of the apps that may share the process
[[nodiscard]] bool guard_descriptor(int fd);
void unguard_descriptor(int fd);

// In a child that becomes a worker itself: from now on it is none.
void forget_fork();

// True in a child that app code forked.  Whoever gets control back there leaves by _exit.
[[nodiscard]] bool is_forked_child();

}  // namespace rowhouse::worker
