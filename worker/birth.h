// How a process that a template has forked becomes a worker: what the steward's child does before its exec, here without
// one.  Nothing of the app runs before GO.
#pragma once

#include "base/result.h"
#include "worker/lifeline.h"

namespace rowhouse::worker {

// In the new process.  Waits for the end of `adopted`, a pipe that the template holds until the process has become a
// child of the steward's; leads a session; takes the lifeline and the log of the order to their numbers, in place of the
// template's; says BORN and waits for GO.  False when it is not to live.
[[nodiscard]] bool be_born(const Lifeline::TemplateOrder& order, int adopted);

// The threads of this process, as the kernel counts them, those of libraries too.
[[nodiscard]] Result<unsigned> count_threads();

}  // namespace rowhouse::worker
