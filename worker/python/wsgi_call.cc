#include "worker/python/wsgi_call.h"

#include <unistd.h>

#include <algorithm>

#include "worker/fork_guard.h"
#include "worker/python/exception_log.h"
#include "worker/python/file_wrapper.h"
#include "worker/python/input_object.h"
#include "worker/python/interpreter.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

constexpr Py_ssize_t kFileBlockBytes = 64 * 1024;

std::string_view bytes_of(PyObject* bytes) {
  return {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
}

// START is left out for the methods that may be given to another worker anyway (PROTOCOL.request.md,
// "START").
bool is_safe(proto::Method method) {
  return method == proto::Method::kGet || method == proto::Method::kHead || method == proto::Method::kOptions;
}

int exit_status_of_system_exit() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const PyOwned code(value != nullptr ? PyObject_GetAttrString(value, "code") : nullptr);
  if (!code || code.get() == Py_None) return 0;
  return PyLong_Check(code.get()) ? static_cast<int>(PyLong_AsLong(code.get()) & 0xff) : 1;
}

// A child that the app forked came back out of the app: it must not answer and not run the worker's exit
// functions.
[[noreturn]] void leave_forked_child() {
  int status = 0;
  if (PyErr_Occurred() != nullptr) {
    const bool quiet = PyErr_ExceptionMatches(PyExc_SystemExit) != 0;
    status = quiet ? exit_status_of_system_exit() : 1;
    if (!quiet) log_exception("a process that the app forked");
  }
  flush_standard_streams();
  ::_exit(status);
}

void leave_if_forked() {
  if (is_forked_child()) leave_forked_child();
}

bool refuse_result(PyObject* result) {
  PyErr_Format(PyExc_TypeError,
               "the app returned %.100s; it must return an iterable of bytes, such as [b'...']",
               Py_TYPE(result)->tp_name);
  return false;
}

}  // namespace

WsgiCall::WsgiCall(Scheduler& scheduler, PyObject* application, EnvironBuilder& environs)
    : scheduler_(scheduler),
      application_(application),
      environs_(environs),
      response_(scheduler),
      close_name_(interned("close")) {}

void WsgiCall::run(Stream& stream) {
  response_.begin(stream);
  bool done = announce(stream);
  if (done) {
    done = call_app(stream);
  }
  if (input_) end_input(input_.get());
  start_response_.end();
  if (scheduler_.is_gone(stream) || (done && !response_.is_short())) {
    scheduler_.finish(stream);
  } else if (done) {
    say("request " + std::string(stream.head.request_id) + ": the body is shorter than its Content-Length");
    scheduler_.abort(stream, proto::AbortReason::kShortBody);
  } else {
    scheduler_.abort(stream, response_.is_head_sent() ? proto::AbortReason::kAppFailedAfterHead
                                                      : proto::AbortReason::kAppFailedBeforeHead);
  }
  if (!scheduler_.is_flush_due()) return;
  const GilReleased released;
  scheduler_.flush();
}

// START is in the socket before the app is called.  False when the gateway has gone.
bool WsgiCall::announce(Stream& stream) {
  if (is_safe(stream.head.method)) return true;
  scheduler_.start(stream);
  scheduler_.enter(stream);
  const GilReleased released;
  return scheduler_.wait_until_sent(stream) == WaitOutcome::kReady;
}

bool WsgiCall::prepare_input(Stream& stream) {
  if (input_ && reuse_input(input_.get(), stream)) return true;
  input_ = create_input(scheduler_, stream);
  return static_cast<bool>(input_);
}

bool WsgiCall::call_app(Stream& stream) {
  PyOwned environ;
  if (prepare_input(stream) && start_response_.begin(response_)) {
    environ = environs_.build(stream.head, input_.get());
  }
  if (!environ) {
    log_failure(stream, "preparing the request");
    return false;
  }
  PyObject* const arguments[] = {environ.get(), start_response_.callable()};
  const PyOwned result(RH_PY_VECTORCALL(application_, arguments, 2, nullptr));
  leave_if_forked();
  if (!result) {
    log_failure(stream, "calling the app");
    return false;
  }
  const bool sent = send_result(result.get());
  leave_if_forked();
  if (!sent) log_failure(stream, response_.is_head_sent() ? "sending the response" : "calling the app");
  close_result(result.get(), stream);
  leave_if_forked();
  return sent;
}

bool WsgiCall::send_result(PyObject* result) {
  if (PyList_CheckExact(result) || PyTuple_CheckExact(result)) {
    if (!send_sequence(result)) return false;
  } else if (is_file_wrapper(result)) {
    if (!send_file(result)) return false;
  } else if (!send_iterable(result)) {
    return false;
  }
  return response_.end();
}

// A list or tuple runs no code of the app: its length is known before anything is sent.
bool WsgiCall::send_sequence(PyObject* result) {
  std::uint64_t total = 0;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(result);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* const item = PySequence_Fast_GET_ITEM(result, i);
    if (PyBytes_Check(item)) total += static_cast<std::uint64_t>(PyBytes_GET_SIZE(item));
  }
  response_.announce_length(total);
  // The list may change while the GIL is released.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(result); ++i) {
    const PyOwned item(PyBorrowed(PySequence_Fast_GET_ITEM(result, i)));
    const Response::Step step = send_item(item.get());
    if (step != Response::Step::kMore) return step == Response::Step::kStop;
  }
  return true;
}

bool WsgiCall::send_file(PyObject* wrapper) {
  const PyOwned read = file_wrapper_read(wrapper);
  if (!read) return false;
  while (response_.room() != 0) {
    const auto wanted = static_cast<Py_ssize_t>(std::min<std::uint64_t>(response_.room(), kFileBlockBytes));
    const PyOwned size(PyLong_FromSsize_t(wanted));
    const PyOwned block(size ? PyObject_CallFunctionObjArgs(read.get(), size.get(), nullptr) : nullptr);
    if (!block) return false;
    const int filled = PyObject_IsTrue(block.get());
    if (filled <= 0) return filled == 0;
    const Response::Step step = send_item(block.get());
    if (step != Response::Step::kMore) return step == Response::Step::kStop;
  }
  return true;
}

bool WsgiCall::send_iterable(PyObject* result) {
  if (PyBytes_Check(result) || PyUnicode_Check(result)) return refuse_result(result);
  const PyOwned iterator(PyObject_GetIter(result));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) return false;
    return refuse_result(result);
  }
  while (true) {
    const PyOwned item(PyIter_Next(iterator.get()));
    leave_if_forked();
    if (!item) return PyErr_Occurred() == nullptr;
    const Response::Step step = send_item(item.get());
    if (step != Response::Step::kMore) return step == Response::Step::kStop;
  }
}

Response::Step WsgiCall::send_item(PyObject* item) {
  if (PyBytes_Check(item)) return response_.send_chunk(bytes_of(item));
  PyErr_Format(PyExc_TypeError, "the app's iterable gave %.100s; every item must be bytes",
               Py_TYPE(item)->tp_name);
  return Response::Step::kFailed;
}

void WsgiCall::close_result(PyObject* result, const Stream& stream) {
  if (PyList_CheckExact(result) || PyTuple_CheckExact(result)) return;
  const PyOwned close(PyObject_GetAttr(result, close_name_.get()));
  if (!close) {
    PyErr_Clear();
    return;
  }
  const PyOwned closed(PyObject_CallObject(close.get(), nullptr));
  if (!closed) log_failure(stream, "closing the response");
}

void WsgiCall::log_failure(const Stream& stream, const char* what) {
  const std::string request = "request " + std::string(stream.head.request_id);
  // The app let the OSError of a client that went away pass: that is no fault of the app.
  if (PyErr_ExceptionMatches(PyExc_ConnectionError) != 0 && scheduler_.is_gone(stream)) {
    PyErr_Clear();
    say(request + ": the client went away");
    return;
  }
  log_exception(request + ": " + what);
}

}  // namespace rowhouse::worker
