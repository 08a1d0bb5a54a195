#include "worker/python/importer.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/unique_fd.h"
#include "worker/python/exception_log.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

using proto::StartStep;

// The name under which a script file is in sys.modules: one that no module of the app has.
constexpr const char* kScriptModule = "__rowhouse_script__";
constexpr std::size_t kMaxScriptBytes = 16 * 1024 * 1024;

// "module 'blog.wsgi'" or "script '/home/acme/app.wsgi'".
std::string subject_of(const proto::WorkerPart& part) {
  return (part.kind == proto::CallableKind::kModule ? "module '" : "script '") + part.module + "'";
}

PyOwned decode_path(const std::string& path) {
  return PyOwned(PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

bool prepend_directory(const std::string& directory) {
  const PyBorrowed path(PySys_GetObject("path"));
  const PyOwned entry = decode_path(directory);
  return path && entry && PyList_Check(path.get()) && PyList_Insert(path.get(), 0, entry.get()) == 0;
}

// A module of its own for the script, known to sys.modules as importing would do it.
PyOwned create_script_module(const PyOwned& path) {
  PyOwned module(PyModule_New(kScriptModule));
  if (!module ||
      PyModule_AddObject(module.get(), "__file__", PyOwned(PyBorrowed(path.get())).release()) != 0) {
    return {};
  }
  const PyBorrowed names(PyModule_GetDict(module.get()));
  const PyBorrowed modules(PyImport_GetModuleDict());
  if (PyDict_SetItemString(names.get(), "__builtins__", PyEval_GetBuiltins()) != 0) return {};
  if (PyDict_SetItemString(modules.get(), kScriptModule, module.get()) != 0) return {};
  return module;
}

// Compiled here and not through importlib: its cache file would be that of a module of the same name.
PyOwned run_script(const proto::WorkerPart& part) {
  const UniqueFd file(::open(part.module.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    errno = errno == 0 ? ENOENT : errno;
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, part.module.c_str());
    return {};
  }
  const auto source = read_all(file.get(), kMaxScriptBytes);
  if (!source.ok()) {
    PyErr_Format(PyExc_OSError, "%s", describe(source.error()).c_str());
    return {};
  }
  const PyOwned path = decode_path(part.module);
  const PyOwned builtins(PyImport_ImportModule("builtins"));
  if (!path || !builtins) return {};
  const PyOwned code(PyObject_CallMethod(builtins.get(), "compile", "y#Os", source.value().data(),
                                         static_cast<Py_ssize_t>(source.value().size()), path.get(), "exec"));
  if (!code) return {};
  PyOwned module = create_script_module(path);
  if (!module) return {};
  const PyBorrowed names(PyModule_GetDict(module.get()));
  const PyOwned result(PyEval_EvalCode(code.get(), names.get(), names.get()));
  if (!result) return {};
  return module;
}

// "; did you mean 'application'?", from what the object does have.
std::string suggestion(PyObject* object, PyObject* attribute) {
  const PyOwned difflib(PyImport_ImportModule("difflib"));
  const PyOwned names(PyObject_Dir(object));
  const PyOwned close(
      difflib && names ? PyObject_CallMethod(difflib.get(), "get_close_matches", "OO", attribute, names.get())
                       : nullptr);
  std::string text;
  if (close && PyList_Check(close.get()) && PyList_GET_SIZE(close.get()) > 0) {
    text = "; did you mean '" + readable(PyList_GET_ITEM(close.get(), 0)) + "'?";
  } else {
    for (const char* usual : {"application", "app", "wsgi_app", "create_app", "make_app"}) {
      if (PyObject_HasAttrString(object, usual) == 0) continue;
      text = std::string("; it has '") + usual + "'";
      break;
    }
  }
  PyErr_Clear();
  return text;
}

std::string type_name(PyObject* object) {
  return Py_TYPE(object)->tp_name;
}

// The app is what the factory returns.
StartStep call_factory(const proto::WorkerPart& part, PyOwned& callable) {
  const std::string factory = "the factory '" + part.attribute + "' in " + subject_of(part);
  PyOwned app(PyObject_CallObject(callable.get(), nullptr));
  if (!app) {
    const std::string summary = log_traceback();
    say(factory + " failed: " + summary);
    return StartStep::kImportModule;
  }
  if (PyCallable_Check(app.get()) == 0) {
    say(factory + " returned no app: what it returned is of type " + type_name(app.get()));
    return StartStep::kCallable;
  }
  callable = std::move(app);
  return StartStep::kNone;
}

StartStep find_callable(const proto::WorkerPart& part, PyOwned object, PyOwned& callable) {
  std::string_view rest = part.attribute;
  std::string owner = subject_of(part);
  while (true) {
    const std::string name(rest.substr(0, rest.find('.')));
    const PyOwned attribute(PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size())));
    PyOwned found(attribute ? PyObject_GetAttr(object.get(), attribute.get()) : nullptr);
    if (!found) {
      const bool missing = PyErr_ExceptionMatches(PyExc_AttributeError) != 0;
      const std::string why =
          missing ? (PyErr_Clear(), suggestion(object.get(), attribute.get())) : ": " + log_traceback();
      say(owner + " has no '" + name + "'" + why);
      return StartStep::kCallable;
    }
    object = std::move(found);
    if (rest.size() == name.size()) break;
    rest.remove_prefix(name.size() + 1);
    owner = "'" + name + "' in " + owner;
  }
  const bool factory = part.role == proto::CallableRole::kFactory;
  if (PyCallable_Check(object.get()) == 0) {
    say("'" + part.attribute + "' in " + subject_of(part) + " is not callable: it is of type " +
        type_name(object.get()));
    return StartStep::kCallable;
  }
  callable = std::move(object);
  return factory ? call_factory(part, callable) : StartStep::kNone;
}

}  // namespace

StartStep load_callable(const proto::WorkerPart& part, PyOwned& callable) {
  const bool is_module = part.kind == proto::CallableKind::kModule;
  PyOwned module;
  if (prepend_directory(part.directory)) {
    module = is_module ? PyOwned(PyImport_ImportModule(part.module.c_str())) : run_script(part);
  }
  if (!module) {
    const std::string summary = log_traceback();
    say((is_module ? "cannot import " : "cannot run ") + subject_of(part) + ": " + summary);
    return StartStep::kImportModule;
  }
  return find_callable(part, std::move(module), callable);
}

}  // namespace rowhouse::worker
