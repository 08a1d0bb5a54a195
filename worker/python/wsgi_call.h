// One WSGI request from its stream to END or ABORT: environ, the call, the iterable, close().  One object per
// request thread.
#pragma once

#include <string>

#include "worker/python/environ.h"
#include "worker/python/py_ref.h"
#include "worker/python/response.h"
#include "worker/python/start_response.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

class WsgiCall {
 public:
  // `application` and `environs` outlive this object.  Created, used and destroyed with the GIL.
  WsgiCall(Scheduler& scheduler, PyObject* application, EnvironBuilder& environs);
  WsgiCall(const WsgiCall&) = delete;
  WsgiCall& operator=(const WsgiCall&) = delete;

  // Runs the stream's request and closes the stream; whatever the app raises is logged here.
  void run(Stream& stream);

 private:
  [[nodiscard]] bool announce(Stream& stream);
  [[nodiscard]] bool prepare_input(Stream& stream);
  // False when the app failed; its exception has been logged.
  [[nodiscard]] bool call_app(Stream& stream);
  [[nodiscard]] bool send_result(PyObject* result);
  [[nodiscard]] bool send_sequence(PyObject* result);
  [[nodiscard]] bool send_file(PyObject* wrapper);
  [[nodiscard]] bool send_iterable(PyObject* result);
  [[nodiscard]] Response::Step send_item(PyObject* item);
  void close_result(PyObject* result, const Stream& stream);
  void log_failure(const Stream& stream, const char* what);

  Scheduler& scheduler_;
  PyObject* const application_;
  EnvironBuilder& environs_;
  Response response_;
  StartResponse start_response_;
  PyOwned input_;
  PyOwned close_name_;
};

}  // namespace rowhouse::worker
