#include "worker/python/asgi_stream.h"

#include <cstddef>
#include <limits>
#include <memory>
#include <string>

#include "worker/python/per_interpreter.h"
#include "worker/response_draft.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

struct Served {
  Scheduler* scheduler = nullptr;
  ScopeBuilder* scopes = nullptr;
  proto::FieldRoom field_room;  // used with the GIL, for the length of a call
};
PerInterpreter<Served> served;

// What has no place in a Python object by itself.
struct Answer {
  ResponseDraft draft;
  std::string pending;  // given by the app, without credit or room so far
  std::size_t pending_sent = 0;
  std::uint64_t body_bytes = 0;
  bool head_sent = false;
  bool is_tunnel = false;
  bool is_last = false;  // `pending` is the end of the body
  bool cut = false;      // more than Content-Length: the rest is dropped
};

struct StreamObject {
  PyObject_HEAD Stream* stream;  // null after its end
  PyObject* observer;
  PyObject* request_id;
  Answer* answer;
  bool was_gone;
};

PerInterpreter<PyTypeObject> stream_types;

StreamObject* as_object(PyObject* object) {
  return reinterpret_cast<StreamObject*>(object);
}

Scheduler& scheduler() {
  return *served.here().scheduler;
}

PyObject* none() {
  return PyOwned(PyBorrowed(Py_None)).release();
}

void let_go(StreamObject& self) {
  self.was_gone = scheduler().is_gone(*self.stream);
  self.stream->observer = nullptr;
  self.stream = nullptr;
}

void finish(StreamObject& self) {
  Stream& stream = *self.stream;
  let_go(self);
  scheduler().finish_event(stream);
}

void abort_stream(StreamObject& self, proto::AbortReason reason) {
  Stream& stream = *self.stream;
  let_go(self);
  scheduler().abort_event(stream, reason);
}

void say_of(const StreamObject& self, const char* sentence) {
  say("request " + readable(self.request_id) + ": " + sentence);
}

// --- the request ----------------------------------------------------------------------------------------

PyObject* scope(PyObject* object, PyObject* /*none*/) {
  const StreamObject& self = *as_object(object);
  if (self.stream == nullptr) return PyDict_New();
  const auto kind = self.stream->offers_upgrade ? ScopeBuilder::Kind::kWebSocket : ScopeBuilder::Kind::kHttp;
  return served.here().scopes->build(self.stream->head, kind).release();
}

// (bytes, more), or None when nothing has come since.
PyObject* read(PyObject* object, PyObject* /*none*/) {
  const StreamObject& self = *as_object(object);
  if (self.stream == nullptr) return none();
  const std::size_t available = scheduler().body_available(*self.stream);
  if (available == 0) {
    if (!scheduler().is_body_complete(*self.stream)) return none();
    return Py_BuildValue("(yO)", "", Py_False);
  }
  PyOwned bytes(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(available)));
  if (!bytes) return nullptr;
  const std::span<char> room(PyBytes_AS_STRING(bytes.get()), available);
  static_cast<void>(scheduler().take_body(*self.stream, room, BodyUnit::kBytes));
  PyObject* const more = scheduler().is_body_complete(*self.stream) ? Py_False : Py_True;
  return Py_BuildValue("(OO)", bytes.get(), more);
}

// --- the response ---------------------------------------------------------------------------------------

bool refuse_header(PyObject* name, const char* complaint) {
  PyErr_Format(PyExc_ValueError, "the response header %R %s", name, complaint);
  return false;
}

bool take_header(Answer& answer, PyObject* header) {
  const PyOwned pair(PySequence_Fast(header, "a response header is not a pair of bytes"));
  if (!pair) return false;
  if (PySequence_Fast_GET_SIZE(pair.get()) != 2) {
    PyErr_SetString(PyExc_ValueError, "a response header is not a pair of bytes");
    return false;
  }
  PyObject* const name = PySequence_Fast_GET_ITEM(pair.get(), 0);
  PyObject* const value = PySequence_Fast_GET_ITEM(pair.get(), 1);
  if (!PyBytes_Check(name) || !PyBytes_Check(value)) {
    PyErr_Format(PyExc_TypeError, "a response header is not a pair of bytes: %R", header);
    return false;
  }
  const std::string_view name_text(PyBytes_AS_STRING(name), static_cast<std::size_t>(PyBytes_GET_SIZE(name)));
  const std::string_view value_text(PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
  // ASGI lets an app send them, and leaves the connection to the server.
  if (ResponseDraft::is_hop_by_hop(name_text)) return true;
  const Status added = answer.draft.add_field(name_text, value_text);
  return added.ok() || refuse_header(name, added.error().operation);
}

bool take_headers(Answer& answer, PyObject* headers) {
  const PyOwned iterator(PyObject_GetIter(headers));
  if (!iterator) return false;
  while (true) {
    const PyOwned header(PyIter_Next(iterator.get()));
    if (!header) return PyErr_Occurred() == nullptr;
    if (!take_header(answer, header.get())) return false;
  }
}

// start(status, headers)
PyObject* start(PyObject* object, PyObject* arguments) {
  StreamObject& self = *as_object(object);
  long status = 0;
  PyObject* headers = nullptr;
  if (PyArg_ParseTuple(arguments, "lO", &status, &headers) == 0) return nullptr;
  if (self.stream == nullptr) return none();
  self.answer->draft.clear();
  const Status checked = self.answer->draft.set_status_code(status);
  if (!checked.ok()) return PyErr_Format(PyExc_ValueError, "the status %ld %s", status, checked.error().operation);
  return take_headers(*self.answer, headers) ? none() : nullptr;
}

// tunnel(headers)
PyObject* tunnel(PyObject* object, PyObject* headers) {
  StreamObject& self = *as_object(object);
  if (self.stream == nullptr) return none();
  Answer& answer = *self.answer;
  answer.draft.clear();
  answer.draft.set_switching();
  if (!take_headers(answer, headers)) return nullptr;
  answer.head_sent = answer.is_tunnel = true;
  scheduler().tunnel(*self.stream, answer.draft.head(served.here().field_room));
  return none();
}

std::uint64_t room_left(const Answer& answer) {
  const auto length = answer.draft.content_length();
  return length ? *length - answer.body_bytes : std::numeric_limits<std::uint64_t>::max();
}

bool wants_body(const StreamObject& self) {
  return self.stream->head.method != proto::Method::kHead && self.answer->draft.may_have_body();
}

// Returns how much of `bytes` is on its way.
std::size_t pass_on(StreamObject& self, std::string_view bytes) {
  Answer& answer = *self.answer;
  if (answer.head_sent) return bytes.empty() ? 0 : scheduler().send_data(*self.stream, bytes);
  answer.head_sent = true;
  return scheduler().respond_with(*self.stream, answer.draft.head(served.here().field_room), bytes);
}

// All of the body has been passed on.
void end_response(StreamObject& self) {
  const Answer& answer = *self.answer;
  const bool is_short = wants_body(self) && answer.draft.content_length() && room_left(answer) != 0;
  if (is_short && !scheduler().is_gone(*self.stream)) {
    say_of(self, "the body is shorter than its Content-Length");
    abort_stream(self, proto::AbortReason::kShortBody);
  } else {
    finish(self);
  }
}

// True when nothing is pending (any more).
bool advance(StreamObject& self) {
  Answer& answer = *self.answer;
  if (answer.pending_sent < answer.pending.size()) {
    answer.pending_sent += pass_on(self, std::string_view(answer.pending).substr(answer.pending_sent));
    if (answer.pending_sent < answer.pending.size()) return false;
    answer.pending.clear();
    answer.pending_sent = 0;
  }
  if (answer.is_last) end_response(self);
  return true;
}

std::string_view limit_to_length(StreamObject& self, std::string_view bytes) {
  Answer& answer = *self.answer;
  if (!wants_body(self)) return {};
  if (bytes.size() > room_left(answer)) {
    bytes = bytes.substr(0, static_cast<std::size_t>(room_left(answer)));
    if (!answer.cut) say_of(self, "the body is longer than its Content-Length; the rest is cut off");
    answer.cut = true;
  }
  answer.body_bytes += bytes.size();
  return bytes;
}

// send(bytes, more): a part of the body.  True when it is on its way, else resume() is to be called.
PyObject* send(PyObject* object, PyObject* arguments) {
  StreamObject& self = *as_object(object);
  Py_buffer buffer;
  int more = 0;
  if (PyArg_ParseTuple(arguments, "y*p", &buffer, &more) == 0) return nullptr;
  if (self.stream == nullptr) {
    PyBuffer_Release(&buffer);
    return PyBool_FromLong(1);
  }
  Answer& answer = *self.answer;
  std::string_view bytes(static_cast<const char*>(buffer.buf), static_cast<std::size_t>(buffer.len));
  const bool has_answer_to_head = self.stream->head.method == proto::Method::kHead && bytes.empty();
  if (!answer.head_sent && more == 0 && !answer.draft.content_length() && answer.draft.may_have_body() &&
      !has_answer_to_head) {
    answer.draft.set_content_length(bytes.size());
  }
  bytes = limit_to_length(self, bytes);
  answer.is_last = more == 0;
  // The first part brings the head, also when it has no bytes.
  if (answer.pending.empty()) bytes.remove_prefix(pass_on(self, bytes));
  answer.pending.append(bytes);
  PyBuffer_Release(&buffer);
  return PyBool_FromLong(advance(self) ? 1 : 0);
}

// write(bytes): into a tunnel.
PyObject* write(PyObject* object, PyObject* bytes) {
  StreamObject& self = *as_object(object);
  if (self.stream == nullptr || !PyBytes_Check(bytes)) return PyBool_FromLong(1);
  self.answer->pending.append(PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)));
  return PyBool_FromLong(advance(self) ? 1 : 0);
}

PyObject* resume(PyObject* object, PyObject* /*none*/) {
  StreamObject& self = *as_object(object);
  return PyBool_FromLong(self.stream == nullptr || advance(self) ? 1 : 0);
}

PyObject* end_tunnel(PyObject* object, PyObject* /*none*/) {
  StreamObject& self = *as_object(object);
  if (self.stream != nullptr) finish(self);
  return none();
}

// The app is done with the request, however far the answer is.
PyObject* close(PyObject* object, PyObject* /*none*/) {
  StreamObject& self = *as_object(object);
  if (self.stream == nullptr) return none();
  if (scheduler().is_gone(*self.stream)) {
    finish(self);
  } else {
    abort_stream(self, self.answer->head_sent ? proto::AbortReason::kAppFailedAfterHead
                                              : proto::AbortReason::kAppFailedBeforeHead);
  }
  return none();
}

PyObject* is_gone(PyObject* object, void* /*closure*/) {
  const StreamObject& self = *as_object(object);
  const bool gone = self.stream == nullptr ? self.was_gone : scheduler().is_gone(*self.stream);
  return PyBool_FromLong(gone ? 1 : 0);
}

PyObject* offers_upgrade(PyObject* object, void* /*closure*/) {
  const StreamObject& self = *as_object(object);
  return PyBool_FromLong(self.stream != nullptr && self.stream->offers_upgrade ? 1 : 0);
}

PyObject* request_id(PyObject* object, void* /*closure*/) {
  return PyOwned(PyBorrowed(as_object(object)->request_id)).release();
}

PyObject* get_observer(PyObject* object, void* /*closure*/) {
  PyObject* const observer = as_object(object)->observer;
  return PyOwned(PyBorrowed(observer == nullptr ? Py_None : observer)).release();
}

int set_observer(PyObject* object, PyObject* observer, void* /*closure*/) {
  StreamObject& self = *as_object(object);
  PyObject* const before = self.observer;
  self.observer = PyOwned(PyBorrowed(observer)).release();
  Py_XDECREF(before);
  return 0;
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(as_object(object)->observer);
  return 0;
}

int clear(PyObject* object) {
  Py_CLEAR(as_object(object)->observer);
  return 0;
}

void deallocate(PyObject* object) {
  StreamObject& self = *as_object(object);
  PyObject_GC_UnTrack(object);
  if (self.stream != nullptr) Py_DECREF(close(object, nullptr));
  Py_CLEAR(self.observer);
  Py_CLEAR(self.request_id);
  const std::unique_ptr<Answer> dropped(self.answer);
  PyObject_GC_Del(object);
}

PyMethodDef methods[] = {{"scope", scope, METH_NOARGS, nullptr},
                         {"read", read, METH_NOARGS, nullptr},
                         {"start", start, METH_VARARGS, nullptr},
                         {"send", send, METH_VARARGS, nullptr},
                         {"resume", resume, METH_NOARGS, nullptr},
                         {"tunnel", tunnel, METH_O, nullptr},
                         {"write", write, METH_O, nullptr},
                         {"end_tunnel", end_tunnel, METH_NOARGS, nullptr},
                         {"close", close, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

PyGetSetDef attributes[] = {{"is_gone", is_gone, nullptr, nullptr, nullptr},
                            {"offers_upgrade", offers_upgrade, nullptr, nullptr, nullptr},
                            {"request_id", request_id, nullptr, nullptr, nullptr},
                            {"observer", get_observer, set_observer, nullptr, nullptr},
                            {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace

bool prepare_asgi_stream_type(Scheduler& scheduler, ScopeBuilder& scopes) {
  served.here().scheduler = &scheduler;
  served.here().scopes = &scopes;
  PyTypeObject& type = stream_types.here();
  type = new_type();
  type.tp_name = "rowhouse.Stream";
  type.tp_basicsize = sizeof(StreamObject);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  type.tp_methods = methods;
  type.tp_getset = attributes;
  type.tp_traverse = traverse;
  type.tp_clear = clear;
  type.tp_dealloc = deallocate;
  return PyType_Ready(&type) == 0;
}

PyOwned create_asgi_stream(Stream& stream) {
  PyOwned id = latin1(stream.head.request_id);
  StreamObject* const object = id ? PyObject_GC_New(StreamObject, &stream_types.here()) : nullptr;
  if (object == nullptr) return {};
  object->stream = &stream;
  object->observer = nullptr;
  object->request_id = id.release();
  object->answer = std::make_unique<Answer>().release();
  object->was_gone = false;
  stream.observer = object;
  PyObject* const made = reinterpret_cast<PyObject*>(object);
  PyObject_GC_Track(made);
  return PyOwned(made);
}

PyBorrowed observer_of(const Stream& stream) {
  if (stream.observer == nullptr) return {};
  return PyBorrowed(static_cast<StreamObject*>(stream.observer)->observer);
}

}  // namespace rowhouse::worker
