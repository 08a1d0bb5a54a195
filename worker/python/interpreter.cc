#include "worker/python/interpreter.h"

#include <csignal>

#include "worker/python/exception_log.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

// The fields of PyConfig that isolation leaves to the embedder.
struct Config {
  PyConfig fields;
  Config() { PyConfig_InitIsolatedConfig(&fields); }
  ~Config() { PyConfig_Clear(&fields); }
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  PyStatus set(wchar_t*& field, const std::string& text) {
    return PyConfig_SetBytesString(&fields, &field, text.c_str());
  }
};

bool report(const PyStatus& status) {
  if (!PyStatus_Exception(status)) return true;
  std::string sentence = "Python " + embedded_python().text() + " does not start";
  if (status.err_msg != nullptr) sentence += std::string(": ") + status.err_msg;
  say(sentence);
  return false;
}

// The locale comes from LANG and LC_*; the C locale means UTF-8 mode (PEP 540).  PYTHON* variables have no
// effect.
PyStatus preinitialise() {
  PyPreConfig config;
  PyPreConfig_InitIsolatedConfig(&config);
  config.configure_locale = 1;
  config.utf8_mode = -1;
  return Py_PreInitialize(&config);
}

PyStatus configure(Config& config, const proto::WorkerPart& part) {
  config.fields.install_signal_handlers = 1;  // SIGPIPE ignored, SIGINT is KeyboardInterrupt
  config.fields.user_site_directory = 1;
  config.fields.parse_argv = 0;
  const std::string binary = part.virtualenv.empty()
                                 ? std::string(embedded_prefix()) + "/bin/python" + embedded_python().text()
                                 : part.virtualenv + "/bin/python";
  // The standard library is this program's own; site finds pyvenv.cfg beside the executable.
  for (const auto& [field, text] : {std::pair<wchar_t**, std::string>{&config.fields.home, embedded_prefix()},
                                    {&config.fields.program_name, binary},
                                    {&config.fields.executable, binary}}) {
    const PyStatus status = config.set(*field, text);
    if (PyStatus_Exception(status)) return status;
  }
  wchar_t* argument = Py_DecodeLocale(part.module.c_str(), nullptr);
  if (argument == nullptr) return PyStatus_NoMemory();
  const PyStatus status = PyConfig_SetArgv(&config.fields, 1, &argument);
  PyMem_RawFree(argument);
  return status;
}

// Lines of several threads do not mix, and what an app prints is in the log at once.
void buffer_by_line(const char* name) {
  const PyBorrowed stream(PySys_GetObject(name));
  if (!stream) return;
  const PyOwned method(PyObject_GetAttrString(stream.get(), "reconfigure"));
  const PyOwned keywords(Py_BuildValue("{s:O}", "line_buffering", Py_True));
  const PyOwned none(PyTuple_New(0));
  if (method && keywords && none) {
    const PyOwned result(PyObject_Call(method.get(), none.get(), keywords.get()));
  }
  PyErr_Clear();
}

void call_quietly(const char* module_name, const char* function) {
  const PyOwned name(PyUnicode_FromString(module_name));
  const PyOwned module(name ? PyImport_GetModule(name.get()) : nullptr);
  if (module) {
    const PyOwned result(PyObject_CallMethod(module.get(), function, nullptr));
    if (!result) log_exception("the end of the worker");
  }
  PyErr_Clear();
}

}  // namespace

PythonVersion embedded_python() {
  return {PY_MAJOR_VERSION, PY_MINOR_VERSION};
}
const char* embedded_prefix() {
  return ROWHOUSE_PYTHON_PREFIX;
}

bool start_interpreter(const proto::WorkerPart& part) {
  if (!report(preinitialise())) return false;
  Config config;
  if (!report(configure(config, part))) return false;
  if (!report(Py_InitializeFromConfig(&config.fields))) return false;
  buffer_by_line("stdout");
  buffer_by_line("stderr");
  return prepare_exception_log();
}

// By way of the module: PySignal_SetWakeupFd is declared but not exported by some versions.
bool wake_on_signals(int descriptor) {
  const PyOwned signal(PyImport_ImportModule("signal"));
  const PyOwned os(PyImport_ImportModule("os"));
  const PyOwned functools(PyImport_ImportModule("functools"));
  if (!signal || !os || !functools) return false;
  const PyOwned set(PyObject_GetAttrString(signal.get(), "set_wakeup_fd"));
  const PyOwned arguments(Py_BuildValue("(i)", descriptor));
  const PyOwned quiet(Py_BuildValue("{s:O}", "warn_on_full_buffer", Py_False));
  if (!set || !arguments || !quiet) return false;
  const PyOwned before(PyObject_Call(set.get(), arguments.get(), quiet.get()));
  const PyOwned forget(PyObject_CallMethod(functools.get(), "partial", "Oi", set.get(), -1));
  const PyOwned at_fork(PyObject_GetAttrString(os.get(), "register_at_fork"));
  const PyOwned none(PyTuple_New(0));
  const PyOwned in_child(forget ? Py_BuildValue("{s:O}", "after_in_child", forget.get()) : nullptr);
  if (!before || !at_fork || !none || !in_child) return false;
  const PyOwned registered(PyObject_Call(at_fork.get(), none.get(), in_child.get()));
  return static_cast<bool>(registered);
}

void flush_standard_streams() {
  for (const char* name : {"stdout", "stderr"}) {
    const PyBorrowed stream(PySys_GetObject(name));
    if (!stream || stream.get() == Py_None) continue;
    const PyOwned result(PyObject_CallMethod(stream.get(), "flush", nullptr));
    if (!result) PyErr_Clear();
  }
}

void run_exit_functions() {
  call_quietly("threading", "_shutdown");
  const PyOwned atexit(PyImport_ImportModule("atexit"));
  call_quietly("atexit", "_run_exitfuncs");
  flush_standard_streams();
}

}  // namespace rowhouse::worker
