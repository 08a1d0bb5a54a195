#include "worker/python/py_ref.h"

namespace rowhouse::worker {

std::string readable(PyObject* text) {
  const PyOwned bytes(PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
  if (!bytes) {
    PyErr_Clear();
    return {};
  }
  return {PyBytes_AS_STRING(bytes.get()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get()))};
}

}  // namespace rowhouse::worker
