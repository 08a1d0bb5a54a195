#include "worker/python/start_response.h"

#include <cstddef>

#include "worker/python/per_interpreter.h"

namespace rowhouse::worker {
namespace {

struct StartResponseObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  Response* response;  // null after the request
  PyObject* write;     // borrowed from StartResponse while the request runs
};

PerInterpreter<PyTypeObject> start_response_types;

StartResponseObject* as_object(PyObject* object) {
  return reinterpret_cast<StartResponseObject*>(object);
}

Response* open_response(PyObject* self, const char* what) {
  Response* const response = as_object(self)->response;
  if (response == nullptr) PyErr_Format(PyExc_RuntimeError, "%s was used after its request ended", what);
  return response;
}

PyObject* refuse_arguments() {
  PyErr_SetString(PyExc_TypeError, "start_response takes status, headers and optionally exc_info");
  return nullptr;
}

// exc_info may be given by name; status and headers are positional (PEP 3333).
PyObject* call(PyObject* self, PyObject* const* arguments, std::size_t flagged_count, PyObject* names) {
  const Py_ssize_t count = PyVectorcall_NARGS(flagged_count);
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  if (count < 2 || count + named > 3) return refuse_arguments();
  if (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") != 0) {
    return refuse_arguments();
  }
  Response* const response = open_response(self, "start_response");
  if (response == nullptr) return nullptr;
  PyObject* const exc_info = count + named == 3 ? arguments[2] : nullptr;
  if (!response->start(arguments[0], arguments[1], exc_info)) return nullptr;
  return PyOwned(PyBorrowed(as_object(self)->write)).release();
}

PyObject* write(PyObject* self, PyObject* bytes) {
  Response* const response = open_response(self, "write()");
  if (response == nullptr) return nullptr;
  if (!PyBytes_Check(bytes)) {
    PyErr_Format(PyExc_TypeError, "write() takes bytes, not %.100s", Py_TYPE(bytes)->tp_name);
    return nullptr;
  }
  const std::string_view view(PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)));
  if (!response->write(view)) return nullptr;
  Py_RETURN_NONE;
}

PyMethodDef write_method = {"write", write, METH_O, "write(bytes): sends a part of the body"};

}  // namespace

bool prepare_start_response_type() {
  PyTypeObject& type = start_response_types.here();
  type = new_type();
  type.tp_name = "rowhouse.start_response";
  type.tp_doc = "start_response(status, headers, exc_info=None) of one request.";
  type.tp_basicsize = sizeof(StartResponseObject);
  type.tp_flags = Py_TPFLAGS_DEFAULT | RH_PY_HAVE_VECTORCALL;
  type.tp_vectorcall_offset = offsetof(StartResponseObject, vectorcall);
  type.tp_call = PyVectorcall_Call;
  type.tp_dealloc = [](PyObject* self) { PyObject_Free(self); };
  return PyType_Ready(&type) == 0;
}

bool StartResponse::begin(Response& response) {
  const bool unshared =
      callable_ && write_ && Py_REFCNT(write_.get()) == 1 && Py_REFCNT(callable_.get()) == 2;
  if (!unshared) {
    write_.reset();
    callable_.reset();
    StartResponseObject* const object = PyObject_New(StartResponseObject, &start_response_types.here());
    if (object == nullptr) return false;
    object->vectorcall = call;
    object->response = nullptr;
    object->write = nullptr;
    callable_.reset(reinterpret_cast<PyObject*>(object));
    write_.reset(PyCFunction_New(&write_method, callable_.get()));
    if (!write_) return false;
  }
  as_object(callable_.get())->response = &response;
  as_object(callable_.get())->write = write_.get();
  return true;
}

void StartResponse::end() {
  if (!callable_) return;
  as_object(callable_.get())->response = nullptr;
  as_object(callable_.get())->write = nullptr;
}

}  // namespace rowhouse::worker
