// An ASGI 3.0 app in this worker: one event loop in the main thread (asgi_runtime.py, asgi_exchanges.py), fed by the
// scheduler.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "proto/worker_part.h"
#include "worker/python/asgi_scope.h"
#include "worker/python/py_ref.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

// What an app can be called with, from its own looks.  Says a sentence and returns nothing when that is not what
// `wanted` says, or when kDetect leads nowhere.  kWsgi or kAsgi.
[[nodiscard]] std::optional<proto::Interface> find_interface(PyObject* application, proto::Interface wanted);

class AsgiServer {
 public:
  struct Events {
    std::function<void()> on_ready;      // the app's own startup is complete
    std::function<void()> on_requests_over;  // before the app's own shutdown; with the GIL
  };
  AsgiServer(Scheduler& scheduler, PyOwned application, Events events);
  AsgiServer(const AsgiServer&) = delete;
  AsgiServer& operator=(const AsgiServer&) = delete;

  // With the GIL, in the main thread.  False, with a sentence said, when Python cannot.
  [[nodiscard]] bool prepare();
  // Starts the app, serves until the worker is drained, stops the app.  False, with a sentence said, when the app
  // does not start.
  [[nodiscard]] bool run();

 private:
  static PyObject* pump(PyObject* self, PyObject* none);
  static PyObject* flush(PyObject* self, PyObject* none);
  static PyObject* is_finished(PyObject* self, PyObject* none);
  static PyObject* is_draining(PyObject* self, PyObject* none);
  static PyObject* ready(PyObject* self, PyObject* none);
  static PyObject* begin_end(PyObject* self, PyObject* none);
  static AsgiServer& of(PyObject* capsule);
  [[nodiscard]] PyOwned create_core();

  Scheduler& scheduler_;
  PyOwned application_;
  Events events_;
  ScopeBuilder scopes_;
  PyOwned runtime_;
  std::vector<Stream*> begun_;
  std::vector<Stream*> changed_;
};

}  // namespace rowhouse::worker
