// wsgi.input: the request's body as a Python object with read, readline, readlines and iteration.  Waits for
// body without the GIL.  A client that goes away while more is awaited raises OSError, never a short read;
// any use after the request raises ValueError.
#pragma once

#include "worker/python/py_ref.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

// REQUIRES: called once in an interpreter, with the GIL.
[[nodiscard]] bool prepare_input_type();

// The body of `stream`.  Null with an exception pending.
[[nodiscard]] PyOwned create_input(Scheduler& scheduler, Stream& stream);

// Makes an object that nobody else holds the body of another request; false when somebody does.
[[nodiscard]] bool reuse_input(PyObject* input, Stream& stream);

// The request is over: from now on every use raises.
void end_input(PyObject* input);

}  // namespace rowhouse::worker
