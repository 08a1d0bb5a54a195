// A Python exception in the app's log: the traceback and one line that says what was being done, in one
// write(2), so that tracebacks of several threads do not mix.
#pragma once

#include <string>
#include <string_view>

#include "worker/python/py_ref.h"

namespace rowhouse::worker {

// Imports what log_exception needs; false, with a sentence said, when that fails.
[[nodiscard]] bool prepare_exception_log();

// Writes "rowhouse: <during>: exception" and the traceback, and clears the exception.
// REQUIRES: an exception is pending.
void log_exception(std::string_view during);

// Writes only the traceback and clears the exception; returns "ModuleNotFoundError: No module named 'x'".
[[nodiscard]] std::string log_traceback();

}  // namespace rowhouse::worker
