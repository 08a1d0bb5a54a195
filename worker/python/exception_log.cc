#include "worker/python/exception_log.h"

#include "worker/python/interpreter.h"
#include "worker/python/per_interpreter.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

PerInterpreter<PyObject*> format_exception;  // of traceback; lives as long as the process

struct Exception {
  PyOwned type, value, traceback;
};

Exception take_exception() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr && value != nullptr) PyException_SetTraceback(value, traceback);
  return {PyOwned(type), PyOwned(value), PyOwned(traceback)};
}

PyObject* or_none(const PyOwned& object) {
  return object ? object.get() : Py_None;
}

// The traceback module's lines; empty when even that raised.
std::string format(const Exception& exception) {
  const PyOwned lines(PyObject_CallFunctionObjArgs(format_exception.here(), or_none(exception.type),
                                                   or_none(exception.value), or_none(exception.traceback),
                                                   nullptr));
  const PyOwned empty(PyUnicode_FromString(""));
  const PyOwned text(lines && empty ? PyUnicode_Join(empty.get(), lines.get()) : nullptr);
  if (!text) {
    PyErr_Clear();
    return {};
  }
  return readable(text.get());
}

// "TypeError: not a number"; only the type when the text cannot be had.
std::string summarise(const Exception& exception) {
  std::string summary = PyType_Check(or_none(exception.type))
                            ? reinterpret_cast<PyTypeObject*>(exception.type.get())->tp_name
                            : "exception";
  const PyOwned text(exception.value ? PyObject_Str(exception.value.get()) : nullptr);
  PyErr_Clear();
  const std::string message = text ? readable(text.get()) : std::string();
  if (!message.empty()) summary += ": " + message;
  return summary;
}

}  // namespace

bool prepare_exception_log() {
  const PyOwned module(PyImport_ImportModule("traceback"));
  format_exception.here() = module ? PyObject_GetAttrString(module.get(), "format_exception") : nullptr;
  if (format_exception.here() != nullptr) return true;
  PyErr_Print();
  say("Python does not start: its standard library has no traceback.format_exception");
  return false;
}

void log_exception(std::string_view during) {
  const Exception exception = take_exception();
  flush_standard_streams();
  std::string text = "rowhouse: ";
  text += during;
  text += ": exception\n";
  const std::string traceback = format(exception);
  text += traceback.empty() ? summarise(exception) + "\n" : traceback;
  write_to_log(text);
}

std::string log_traceback() {
  const Exception exception = take_exception();
  flush_standard_streams();
  write_to_log(format(exception));
  return summarise(exception);
}

}  // namespace rowhouse::worker
