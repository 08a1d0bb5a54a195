// wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"): an iterable over anything with
// read(). No descriptor leaves the sandbox, so there is no sendfile; returned unchanged it is read in large
// blocks.
#pragma once

#include "worker/python/py_ref.h"

namespace rowhouse::worker {

// The type; null with an exception pending.  REQUIRES: called once in an interpreter, with the GIL.
[[nodiscard]] PyBorrowed prepare_file_wrapper_type();

[[nodiscard]] bool is_file_wrapper(PyObject* object);
// The read method of what it wraps.  REQUIRES: is_file_wrapper.
[[nodiscard]] PyOwned file_wrapper_read(PyObject* wrapper);

}  // namespace rowhouse::worker
