#include "worker/python/file_wrapper.h"

#include "worker/python/per_interpreter.h"

namespace rowhouse::worker {
namespace {

constexpr Py_ssize_t kUsualBlockBytes = 8192;

struct FileWrapper {
  PyObject_HEAD PyObject* file;
  Py_ssize_t block_bytes;
};

PerInterpreter<PyTypeObject> file_wrapper_types;

FileWrapper* as_wrapper(PyObject* object) {
  return reinterpret_cast<FileWrapper*>(object);
}

PyObject* create(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  static const char* names[] = {"filelike", "block_size", nullptr};
  PyObject* file = nullptr;
  Py_ssize_t block_bytes = kUsualBlockBytes;
  if (PyArg_ParseTupleAndKeywords(arguments, keywords, "O|n:file_wrapper", const_cast<char**>(names), &file,
                                  &block_bytes) == 0) {
    return nullptr;
  }
  if (PyObject_HasAttrString(file, "read") == 0) {
    PyErr_Format(PyExc_TypeError, "file_wrapper: %.100s has no read()", Py_TYPE(file)->tp_name);
    return nullptr;
  }
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Py_INCREF(file);
  as_wrapper(self)->file = file;
  as_wrapper(self)->block_bytes = block_bytes > 0 ? block_bytes : kUsualBlockBytes;
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_wrapper(self)->file);
  return 0;
}

int clear(PyObject* self) {
  Py_CLEAR(as_wrapper(self)->file);
  return 0;
}

void deallocate(PyObject* self) {
  PyObject_GC_UnTrack(self);
  clear(self);
  Py_TYPE(self)->tp_free(self);
}

PyObject* iterate(PyObject* self) {
  return PyOwned(PyBorrowed(self)).release();
}

PyObject* next_block(PyObject* self) {
  PyOwned block(PyObject_CallMethod(as_wrapper(self)->file, "read", "n", as_wrapper(self)->block_bytes));
  if (!block) return nullptr;
  const int filled = PyObject_IsTrue(block.get());
  return filled > 0 ? block.release() : nullptr;
}

PyObject* close(PyObject* self, PyObject* /*none*/) {
  PyObject* const file = as_wrapper(self)->file;
  if (PyObject_HasAttrString(file, "close") == 0) Py_RETURN_NONE;
  return PyObject_CallMethod(file, "close", nullptr);
}

PyMethodDef methods[] = {
    {"close", close, METH_NOARGS, "close(): closes what is wrapped, if it can be closed"},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyBorrowed prepare_file_wrapper_type() {
  PyTypeObject& type = file_wrapper_types.here();
  type = new_type();
  type.tp_name = "rowhouse.file_wrapper";
  type.tp_doc =
      "file_wrapper(filelike, block_size=8192): an iterable over filelike.read(block_size).";
  type.tp_basicsize = sizeof(FileWrapper);
  type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  type.tp_new = create;
  type.tp_dealloc = deallocate;
  type.tp_traverse = traverse;
  type.tp_clear = clear;
  type.tp_iter = iterate;
  type.tp_iternext = next_block;
  type.tp_methods = methods;
  if (PyType_Ready(&type) != 0) return {};
  return PyBorrowed(reinterpret_cast<PyObject*>(&type));
}

bool is_file_wrapper(PyObject* object) {
  return Py_TYPE(object) == &file_wrapper_types.here();
}

PyOwned file_wrapper_read(PyObject* wrapper) {
  return PyOwned(PyObject_GetAttrString(as_wrapper(wrapper)->file, "read"));
}

}  // namespace rowhouse::worker
