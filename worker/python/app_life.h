// The life of one app in its interpreter: it is imported, serves until its lifeline says that it shall go, and ends.  The
// same for an app that has the process to itself and for one of a share; what differs is its lifeline.
#pragma once

#include "proto/worker_part.h"
#include "worker/lifeline.h"
#include "worker/python/py_ref.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

struct App {
  PyOwned callable;
  proto::Interface interface{};
};

// A step that failed ends the process, or the start of the share.
void require(Lifeline& lifeline, proto::StartStep step);

// With the GIL, as everything below.  A failure is said, and ends the start.
[[nodiscard]] App import_app(Lifeline& lifeline, const proto::WorkerPart& part);

// Opened, and ready for the first channel.  It and what it serves with live as long as the process: threads of the app may
// still run when that ends.
[[nodiscard]] Scheduler& open_scheduler(Lifeline& lifeline, const proto::WorkerPart& part);

// READY, requests until there will be no more, and what the app does at its end.  DRAINED is the caller's.
void serve_app(Lifeline& lifeline, Scheduler& scheduler, const proto::WorkerPart& part, App app);

}  // namespace rowhouse::worker
