#include "worker/python/input_object.h"

#include <algorithm>

#include "worker/fork_guard.h"
#include "worker/python/per_interpreter.h"

namespace rowhouse::worker {
namespace {

// How a bytes object grows when the length of the body is not known.
constexpr Py_ssize_t kFirstRoom = 64 * 1024;
constexpr Py_ssize_t kFirstLineRoom = 256;

struct InputObject {
  PyObject_HEAD Scheduler* scheduler;
  Stream* stream;  // null after the request
};

PerInterpreter<PyTypeObject> input_types;

InputObject* as_input(PyObject* object) {
  return reinterpret_cast<InputObject*>(object);
}

Stream* open_stream(InputObject* input) {
  if (input->stream == nullptr || is_forked_child()) {
    PyErr_SetString(PyExc_ValueError, "wsgi.input was used after its request ended");
    return nullptr;
  }
  return input->stream;
}

// Waits until there is body or its end.  False with an exception pending.
bool await_body(InputObject* input, Stream& stream) {
  input->scheduler->enter(stream);
  WaitOutcome outcome = WaitOutcome::kReady;
  {
    const GilReleased released;
    outcome = input->scheduler->wait_for_body(stream);
  }
  if (outcome == WaitOutcome::kReady) return open_stream(input) != nullptr;
  PyErr_SetString(PyExc_ConnectionResetError, "the client went away before its request body was complete");
  return false;
}

// A bytes object that is filled from the front and grows.
class Collector {
 public:
  explicit Collector(Py_ssize_t room) : bytes_(PyBytes_FromStringAndSize(nullptr, room)) {}
  ~Collector() { Py_XDECREF(bytes_); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  [[nodiscard]] bool ok() const { return bytes_ != nullptr; }
  [[nodiscard]] Py_ssize_t size() const { return used_; }
  // Free space of at least one byte and at most up to `limit` bytes in all (-1: no limit).
  std::span<char> space(Py_ssize_t limit) {
    Py_ssize_t room = PyBytes_GET_SIZE(bytes_);
    if (used_ == room) {
      room = room < PY_SSIZE_T_MAX / 2 ? std::max<Py_ssize_t>(room * 2, 1) : PY_SSIZE_T_MAX;
      if (limit >= 0) room = std::min(room, limit);
      if (_PyBytes_Resize(&bytes_, room) != 0) return {};
    }
    return {PyBytes_AS_STRING(bytes_) + used_, static_cast<std::size_t>(room - used_)};
  }
  void fill(std::size_t count) { used_ += static_cast<Py_ssize_t>(count); }
  [[nodiscard]] char last() const { return PyBytes_AS_STRING(bytes_)[used_ - 1]; }
  PyObject* finish() {
    if (bytes_ != nullptr && used_ != PyBytes_GET_SIZE(bytes_)) _PyBytes_Resize(&bytes_, used_);
    return std::exchange(bytes_, nullptr);
  }

 private:
  PyObject* bytes_;
  Py_ssize_t used_ = 0;
};

Py_ssize_t first_room(const Stream& stream, Py_ssize_t limit, BodyUnit unit) {
  Py_ssize_t room = unit == BodyUnit::kLine ? kFirstLineRoom : kFirstRoom;
  const std::uint64_t length = stream.head.body_length;
  if (unit == BodyUnit::kBytes && length != proto::kUnknownLength && length <= PY_SSIZE_T_MAX) {
    room = static_cast<Py_ssize_t>(length);
  }
  return limit >= 0 ? std::min(limit, room) : room;
}

// Up to `limit` bytes (-1: all), or one line of at most that; shorter only at the end of the body.
PyObject* read_some(InputObject* input, Py_ssize_t limit, BodyUnit unit) {
  Stream* stream = open_stream(input);
  if (stream == nullptr) return nullptr;
  if (limit == 0 || input->scheduler->is_body_complete(*stream)) return PyBytes_FromStringAndSize(nullptr, 0);
  Collector collector(first_room(*stream, limit, unit));
  while (collector.ok() && (limit < 0 || collector.size() < limit)) {
    // What was read is complete before the object grows: a body of the announced length never makes it.
    if (input->scheduler->is_body_complete(*stream)) break;
    const std::span<char> space = collector.space(limit);
    if (space.empty()) return nullptr;
    const std::size_t count = input->scheduler->take_body(*stream, space, unit);
    collector.fill(count);
    if (count != 0 && unit == BodyUnit::kLine && collector.last() == '\n') break;
    if (count == 0 && !await_body(input, *stream)) return nullptr;
  }
  return collector.finish();
}

bool parse_limit(PyObject* const* arguments, Py_ssize_t count, Py_ssize_t& limit) {
  limit = -1;
  if (count > 1) {
    PyErr_SetString(PyExc_TypeError, "wsgi.input takes one size at most");
    return false;
  }
  if (count == 0 || arguments[0] == Py_None) return true;
  limit = PyNumber_AsSsize_t(arguments[0], PyExc_OverflowError);
  return limit != -1 || PyErr_Occurred() == nullptr;
}

PyObject* read(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  Py_ssize_t limit = -1;
  if (!parse_limit(arguments, count, limit)) return nullptr;
  return read_some(as_input(self), limit, BodyUnit::kBytes);
}

PyObject* readline(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  Py_ssize_t limit = -1;
  if (!parse_limit(arguments, count, limit)) return nullptr;
  return read_some(as_input(self), limit, BodyUnit::kLine);
}

PyObject* readlines(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  Py_ssize_t hint = -1;
  if (!parse_limit(arguments, count, hint)) return nullptr;
  PyOwned lines(PyList_New(0));
  Py_ssize_t total = 0;
  while (lines && (hint <= 0 || total < hint)) {
    const PyOwned line(read_some(as_input(self), -1, BodyUnit::kLine));
    if (!line) return nullptr;
    if (PyBytes_GET_SIZE(line.get()) == 0) break;
    total += PyBytes_GET_SIZE(line.get());
    if (PyList_Append(lines.get(), line.get()) != 0) return nullptr;
  }
  return lines.release();
}

PyObject* next_line(PyObject* self) {
  PyOwned line(read_some(as_input(self), -1, BodyUnit::kLine));
  if (line && PyBytes_GET_SIZE(line.get()) == 0) return nullptr;
  return line.release();
}

PyObject* self_iterator(PyObject* self) {
  Py_INCREF(self);
  return self;
}

void deallocate(PyObject* self) {
  PyObject_Free(self);
}

template <typename Function>
PyCFunction as_method(Function function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"read", as_method(read), METH_FASTCALL,
     "read(size=-1): bytes, fewer than size only at the end of the body"},
    {"readline", as_method(readline), METH_FASTCALL, "readline(size=-1): one line"},
    {"readlines", as_method(readlines), METH_FASTCALL, "readlines(hint=-1): a list of lines"},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool prepare_input_type() {
  PyTypeObject& type = input_types.here();
  type = new_type();
  type.tp_name = "rowhouse.Input";
  type.tp_doc = "The body of one request (wsgi.input).";
  type.tp_basicsize = sizeof(InputObject);
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_dealloc = deallocate;
  type.tp_iter = self_iterator;
  type.tp_iternext = next_line;
  type.tp_methods = methods;
  return PyType_Ready(&type) == 0;
}

PyOwned create_input(Scheduler& scheduler, Stream& stream) {
  InputObject* const input = PyObject_New(InputObject, &input_types.here());
  if (input == nullptr) return {};
  input->scheduler = &scheduler;
  input->stream = &stream;
  return PyOwned(reinterpret_cast<PyObject*>(input));
}

bool reuse_input(PyObject* input, Stream& stream) {
  if (Py_REFCNT(input) != 1) return false;
  as_input(input)->stream = &stream;
  return true;
}

void end_input(PyObject* input) {
  as_input(input)->stream = nullptr;
}

}  // namespace rowhouse::worker
