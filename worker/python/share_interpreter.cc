#include "worker/python/share_interpreter.h"

#include <string>

#include "worker/python/asgi_sources.h"
#include "worker/python/exception_log.h"
#include "worker/python/interpreter.h"
#include "worker/python/py_ref.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

// From 3.13 on; before, modules of the standard library itself break in an interpreter that has a GIL of its own (3.12.1
// aborts the process).
constexpr bool kHasOwnGil = PY_VERSION_HEX >= 0x030d0000;

// The first thread state of a new interpreter, which is the calling thread's then; null with a sentence said.
PyThreadState* create_interpreter(proto::GilOwner gil) {
  PyThreadState* created = nullptr;
  std::string why;
#if PY_VERSION_HEX >= 0x030c0000
  const bool own = gil == proto::GilOwner::kInterpreter;
  PyInterpreterConfig config{};
  config.use_main_obmalloc = own ? 0 : 1;
  config.allow_fork = config.allow_exec = config.allow_threads = config.allow_daemon_threads = 1;
  config.check_multi_interp_extensions = own ? 1 : 0;
  config.gil = own ? PyInterpreterConfig_OWN_GIL : PyInterpreterConfig_SHARED_GIL;
  const PyStatus status = Py_NewInterpreterFromConfig(&created, &config);
  if (PyStatus_Exception(status) != 0 && status.err_msg != nullptr) why = std::string(": ") + status.err_msg;
#else
  static_cast<void>(gil);
  created = Py_NewInterpreter();
#endif
  if (created == nullptr) say("Python " + embedded_python().text() + " cannot make one more interpreter" + why);
  return created;
}

// Why a module cannot be used here, in words; None when it can.  Those of the standard library without multi-phase
// initialisation are written for several interpreters with one GIL all the same.
PyObject* extension_fault(PyObject* /*self*/, PyObject* module) {
  if (!PyModule_Check(module)) Py_RETURN_NONE;  // only multi-phase initialisation can make something else
  // A module that is imported once more is a copy of what the first import left, without a definition.
  const PyModuleDef* const definition = PyModule_GetDef(module);
  PyErr_Clear();
  if (definition == nullptr || definition->m_slots == nullptr) {
    return PyUnicode_FromString("it has no multi-phase initialisation (PEP 489)");
  }
#ifdef Py_mod_multiple_interpreters
  for (const PyModuleDef_Slot* slot = definition->m_slots; slot->slot != 0; ++slot) {
    if (slot->slot == Py_mod_multiple_interpreters && slot->value == Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED) {
      return PyUnicode_FromString("it says so itself");
    }
  }
#endif
  Py_RETURN_NONE;
}

PyOwned variables_of(const proto::WorkerPart& part) {
  PyOwned list(PyList_New(0));
  for (const auto& [name, value] : part.environment) {
    const PyOwned pair(Py_BuildValue("(y#y#)", name.data(), static_cast<Py_ssize_t>(name.size()), value.data(),
                                     static_cast<Py_ssize_t>(value.size())));
    if (!list || !pair || PyList_Append(list.get(), pair.get()) != 0) return {};
  }
  return list;
}

PyOwned path_object(const std::string& path) {
  return PyOwned(PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

bool settle(const proto::WorkerPart& part, int log) {
  static PyMethodDef fault = {"extension_fault", extension_fault, METH_O, nullptr};
  const PyOwned code(Py_CompileString(kShareRuntimeSource, "<rowhouse share>", Py_file_input));
  const PyOwned runtime(code ? PyImport_ExecCodeModule("_rowhouse_share", code.get()) : nullptr);
  const PyOwned function(PyCFunction_New(&fault, nullptr));
  if (!runtime || !function || PyObject_SetAttrString(runtime.get(), fault.ml_name, function.get()) != 0) return false;
  const PyOwned variables = variables_of(part);
  const PyOwned argument = path_object(part.module);
  const PyOwned library =
      path_object(std::string(embedded_prefix()) + "/lib/python" + embedded_python().text() + "/lib-dynload/");
  if (!variables || !argument || !library) return false;
  const PyOwned settled(PyObject_CallMethod(runtime.get(), "settle", "isOOO", log, part.app.c_str(), variables.get(),
                                            argument.get(), library.get()));
  return static_cast<bool>(settled);
}

}  // namespace

bool enter_new_interpreter(proto::GilOwner gil) {
  if (gil == proto::GilOwner::kInterpreter && !kHasOwnGil) {
    say("\"gil: own\" needs Python 3.13, and this is Python " + embedded_python().text());
    return false;
  }
  PyThreadState* const outside = PyThreadState_New(PyInterpreterState_Main());
  PyEval_RestoreThread(outside);
  PyThreadState* const first = create_interpreter(gil);
  if (first == nullptr) return false;
  PyInterpreterState* const interpreter = current_interpreter();
  PyEval_SaveThread();
  // The state that PyGILState knows this thread by must go before the one that it shall know it by comes.
  PyEval_RestoreThread(outside);
  PyThreadState_Clear(outside);
  PyThreadState_DeleteCurrent();
  PyEval_RestoreThread(PyThreadState_New(interpreter));
  PyThreadState_Clear(first);
  PyThreadState_Delete(first);
  return prepare_exception_log();
}

bool settle_interpreter(const proto::WorkerPart& part, int log) {
  if (settle(part, log)) return true;
  log_exception("preparing the app's interpreter");
  return false;
}

}  // namespace rowhouse::worker
