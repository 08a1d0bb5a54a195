#include "worker/python/asgi_socket.h"

#include <memory>
#include <string_view>

#include "worker/python/per_interpreter.h"
#include "worker/websocket.h"

namespace rowhouse::worker {
namespace {

struct SocketObject {
  PyObject_HEAD WebSocket* socket;
};

PerInterpreter<PyTypeObject> socket_types;

WebSocket& socket_of(PyObject* object) {
  return *reinterpret_cast<SocketObject*>(object)->socket;
}

PyObject* boolean(bool value) {
  return PyBool_FromLong(value ? 1 : 0);
}

PyObject* none() {
  return PyOwned(PyBorrowed(Py_None)).release();
}

PyObject* wants_input(PyObject* self, PyObject* /*none*/) {
  return boolean(socket_of(self).wants_input());
}

PyObject* receive(PyObject* self, PyObject* bytes) {
  if (!PyBytes_Check(bytes)) return none();
  socket_of(self).receive({PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))});
  return none();
}

// {"text": str} or {"bytes": bytes}; None when there is no whole message.
PyObject* next(PyObject* self, PyObject* /*none*/) {
  const auto message = socket_of(self).next();
  if (!message) return none();
  const auto size = static_cast<Py_ssize_t>(message->bytes.size());
  if (message->kind == WebSocket::Kind::kText) return Py_BuildValue("{ss#}", "text", message->bytes.data(), size);
  return Py_BuildValue("{sy#}", "bytes", message->bytes.data(), size);
}

// send(str) or send(bytes)
PyObject* send(PyObject* self, PyObject* data) {
  if (PyUnicode_Check(data)) {
    Py_ssize_t size = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(data, &size);
    if (text == nullptr) return nullptr;
    socket_of(self).send(WebSocket::Kind::kText, {text, static_cast<std::size_t>(size)});
    return none();
  }
  Py_buffer buffer;
  if (PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE) != 0) return nullptr;
  socket_of(self).send(WebSocket::Kind::kBinary,
                       {static_cast<const char*>(buffer.buf), static_cast<std::size_t>(buffer.len)});
  PyBuffer_Release(&buffer);
  return none();
}

PyObject* ping(PyObject* self, PyObject* /*none*/) {
  socket_of(self).ping();
  return none();
}

// close(code, reason)
PyObject* close(PyObject* self, PyObject* arguments) {
  unsigned short code = 0;
  const char* reason = nullptr;
  Py_ssize_t size = 0;
  if (PyArg_ParseTuple(arguments, "Hs#", &code, &reason, &size) == 0) return nullptr;
  socket_of(self).close(code, {reason, static_cast<std::size_t>(size)});
  return none();
}

PyObject* has_output(PyObject* self, PyObject* /*none*/) {
  return boolean(socket_of(self).output_bytes() != 0);
}

PyObject* take_output(PyObject* self, PyObject* /*none*/) {
  const std::string output = socket_of(self).take_output();
  return PyBytes_FromStringAndSize(output.data(), static_cast<Py_ssize_t>(output.size()));
}

PyObject* is_input_over(PyObject* self, PyObject* /*none*/) {
  return boolean(socket_of(self).is_input_over());
}

PyObject* close_code(PyObject* self, PyObject* /*none*/) {
  return PyLong_FromLong(socket_of(self).close_code());
}

PyObject* close_reason(PyObject* self, PyObject* /*none*/) {
  const std::string& reason = socket_of(self).close_reason();
  return PyUnicode_DecodeUTF8(reason.data(), static_cast<Py_ssize_t>(reason.size()), "replace");
}

void deallocate(PyObject* self) {
  const std::unique_ptr<WebSocket> dropped(reinterpret_cast<SocketObject*>(self)->socket);
  PyObject_Free(self);
}

PyMethodDef methods[] = {{"wants_input", wants_input, METH_NOARGS, nullptr},
                         {"receive", receive, METH_O, nullptr},
                         {"next", next, METH_NOARGS, nullptr},
                         {"send", send, METH_O, nullptr},
                         {"ping", ping, METH_NOARGS, nullptr},
                         {"close", close, METH_VARARGS, nullptr},
                         {"has_output", has_output, METH_NOARGS, nullptr},
                         {"take_output", take_output, METH_NOARGS, nullptr},
                         {"is_input_over", is_input_over, METH_NOARGS, nullptr},
                         {"close_code", close_code, METH_NOARGS, nullptr},
                         {"close_reason", close_reason, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool prepare_asgi_socket_type() {
  PyTypeObject& type = socket_types.here();
  type = new_type();
  type.tp_name = "rowhouse.WebSocket";
  type.tp_basicsize = sizeof(SocketObject);
  type.tp_flags = Py_TPFLAGS_DEFAULT;
  type.tp_methods = methods;
  type.tp_dealloc = deallocate;
  return PyType_Ready(&type) == 0;
}

PyOwned create_asgi_socket() {
  SocketObject* const object = PyObject_New(SocketObject, &socket_types.here());
  if (object == nullptr) return {};
  object->socket = std::make_unique<WebSocket>().release();
  return PyOwned(reinterpret_cast<PyObject*>(object));
}

}  // namespace rowhouse::worker
