// The two signals that the worker itself handles.
//
//   SIGSYS   a call that the sandbox never allows: SECCOMP(number) on the lifeline, then death by SIGSYS.
//   SIGTERM  once the app serves: a request to finish soon.  Before that it does what it always does, and an
//   app
//            that installs a handler of its own has it.
#pragma once

namespace rowhouse::worker {

// Installed first of all.  `lifeline` stays open for the life of the process.
void report_seccomp_on(int lifeline);

// Unless the app has its own handler, SIGTERM from now on sets termination_requested() and writes a byte to
// the descriptor, which does not block.
void take_termination_on(int wake_fd);
[[nodiscard]] bool termination_requested();

// In a forked child: both signals do what they do in any program.  Async-signal-safe.
void forget_worker_signals();

}  // namespace rowhouse::worker
