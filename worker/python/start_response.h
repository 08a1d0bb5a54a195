// The callables of one request: start_response, and the write() that it returns.  After the request both
// raise instead of touching the next one.
#pragma once

#include "worker/python/py_ref.h"
#include "worker/python/response.h"

namespace rowhouse::worker {

// REQUIRES: called once in an interpreter, with the GIL.
[[nodiscard]] bool prepare_start_response_type();

class StartResponse {
 public:
  // New callables for a request, or those of the last one when the app has kept neither.  False with an
  // exception pending.
  [[nodiscard]] bool begin(Response& response);
  void end();
  [[nodiscard]] PyObject* callable() const { return callable_.get(); }

 private:
  PyOwned callable_;
  PyOwned write_;  // refers to callable_
};

}  // namespace rowhouse::worker
