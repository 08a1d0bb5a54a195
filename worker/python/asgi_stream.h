// One request as the event loop's Python sees it: its scope, its body, and the response that it may give.  After
// the end of the request every use does nothing.
#pragma once

#include "worker/python/asgi_scope.h"
#include "worker/python/py_ref.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

// REQUIRES: called once in an interpreter, with the GIL; both outlive every stream of it.  False with an exception pending.
[[nodiscard]] bool prepare_asgi_stream_type(Scheduler& scheduler, ScopeBuilder& scopes);

// Null with an exception pending.
[[nodiscard]] PyOwned create_asgi_stream(Stream& stream);

// What the loop's Python set as `observer`, or null.
[[nodiscard]] PyBorrowed observer_of(const Stream& stream);

}  // namespace rowhouse::worker
