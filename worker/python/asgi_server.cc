#include "worker/python/asgi_server.h"

#include "worker/python/asgi_socket.h"
#include "worker/python/asgi_sources.h"
#include "worker/python/asgi_stream.h"
#include "worker/python/exception_log.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

PyObject* none() {
  return PyOwned(PyBorrowed(Py_None)).release();
}

PyObject* say_sentence(PyObject* /*self*/, PyObject* text) {
  say(readable(text));
  return none();
}

// log_exception(during, exception)
PyObject* log_given_exception(PyObject* /*self*/, PyObject* arguments) {
  PyObject* during = nullptr;
  PyObject* exception = nullptr;
  if (PyArg_ParseTuple(arguments, "OO", &during, &exception) == 0) return nullptr;
  PyErr_Restore(PyOwned(PyBorrowed(reinterpret_cast<PyObject*>(Py_TYPE(exception)))).release(),
                PyOwned(PyBorrowed(exception)).release(), PyException_GetTraceback(exception));
  log_exception(readable(during));
  return none();
}

PyObject* websocket(PyObject* /*self*/, PyObject* /*none*/) {
  return create_asgi_socket().release();
}

// A module of ours from its source, known to sys.modules.
PyOwned create_module(const char* name, const char* source) {
  const std::string file = std::string("<rowhouse ") + name + ">";
  const PyOwned code(Py_CompileString(source, file.c_str(), Py_file_input));
  return PyOwned(code ? PyImport_ExecCodeModule(name, code.get()) : nullptr);
}

PyOwned create_runtime() {
  const PyOwned exchanges = create_module("_rowhouse_asgi_exchanges", kAsgiExchangesSource);
  if (!exchanges) return {};
  return create_module("_rowhouse_asgi", kAsgiRuntimeSource);
}

bool is_coroutine_function(PyObject* object) {
  const PyOwned code(PyObject_GetAttrString(object, "__code__"));
  const PyOwned flags(code ? PyObject_GetAttrString(code.get(), "co_flags") : nullptr);
  PyErr_Clear();
  constexpr long kCoroutine = 0x80;
  return flags && PyLong_Check(flags.get()) && (PyLong_AsLong(flags.get()) & kCoroutine) != 0;
}

// Cheap enough for every WSGI app: it is called with three arguments and awaited, and would never answer.
bool is_plainly_asgi(PyObject* application) {
  if (is_coroutine_function(application)) return true;
  const PyOwned call(PyObject_GetAttrString(application, "__call__"));
  PyErr_Clear();
  return call && is_coroutine_function(call.get());
}

std::string look_at(PyObject* application) {
  const PyOwned runtime = create_runtime();
  const PyOwned verdict(runtime ? PyObject_CallMethod(runtime.get(), "interface_of", "O", application) : nullptr);
  if (!verdict) log_exception("looking at the app");
  return verdict && PyUnicode_Check(verdict.get()) ? readable(verdict.get()) : std::string();
}

}  // namespace

std::optional<proto::Interface> find_interface(PyObject* application, proto::Interface wanted) {
  using proto::Interface;
  if (wanted == Interface::kWsgi) {
    if (!is_plainly_asgi(application)) return Interface::kWsgi;
    say("the app is an ASGI app, but the manifest says \"wsgi\": say \"asgi\" there");
    return std::nullopt;
  }
  const std::string verdict = look_at(application);
  if (verdict == "asgi2") {
    say("the app takes one argument, as ASGI 2 apps did: wrap it, or use a newer version of its framework");
    return std::nullopt;
  }
  if (wanted == Interface::kAsgi) {
    if (verdict != "wsgi") return Interface::kAsgi;
    say("the app takes two arguments, as WSGI apps do, but the manifest says \"asgi\": say \"wsgi\" there");
    return std::nullopt;
  }
  if (verdict == "asgi") return Interface::kAsgi;
  if (verdict == "wsgi") return Interface::kWsgi;
  say("it cannot be seen whether the app speaks WSGI or ASGI: say \"wsgi\" or \"asgi\" in the manifest, not \"app\"");
  return std::nullopt;
}

AsgiServer::AsgiServer(Scheduler& scheduler, PyOwned application, Events events)
    : scheduler_(scheduler), application_(std::move(application)), events_(std::move(events)) {}

AsgiServer& AsgiServer::of(PyObject* capsule) {
  return *static_cast<AsgiServer*>(PyCapsule_GetPointer(capsule, nullptr));
}

// --- what the loop's Python calls -----------------------------------------------------------------------

// (new streams, observers of changed ones)
PyObject* AsgiServer::pump(PyObject* self, PyObject* /*none*/) {
  AsgiServer& server = of(self);
  server.scheduler_.pump(server.begun_, server.changed_);
  const PyOwned begun(PyList_New(0));
  const PyOwned changed(PyList_New(0));
  if (!begun || !changed) return nullptr;
  for (Stream* stream : server.begun_) {
    const PyOwned object = create_asgi_stream(*stream);
    if (!object || PyList_Append(begun.get(), object.get()) != 0) return nullptr;
  }
  for (const Stream* stream : server.changed_) {
    const PyBorrowed observer = observer_of(*stream);
    if (observer && PyList_Append(changed.get(), observer.get()) != 0) return nullptr;
  }
  return Py_BuildValue("(OO)", begun.get(), changed.get());
}

PyObject* AsgiServer::flush(PyObject* self, PyObject* /*none*/) {
  of(self).scheduler_.flush();
  return none();
}

PyObject* AsgiServer::is_finished(PyObject* self, PyObject* /*none*/) {
  return PyBool_FromLong(of(self).scheduler_.is_finished() ? 1 : 0);
}

PyObject* AsgiServer::is_draining(PyObject* self, PyObject* /*none*/) {
  return PyBool_FromLong(of(self).scheduler_.is_draining() ? 1 : 0);
}

PyObject* AsgiServer::ready(PyObject* self, PyObject* /*none*/) {
  of(self).events_.on_ready();
  return none();
}

PyObject* AsgiServer::begin_end(PyObject* self, PyObject* /*none*/) {
  of(self).events_.on_requests_over();
  return none();
}

PyOwned AsgiServer::create_core() {
  static PyMethodDef methods[] = {{"pump", pump, METH_NOARGS, nullptr},
                                  {"flush", flush, METH_NOARGS, nullptr},
                                  {"is_finished", is_finished, METH_NOARGS, nullptr},
                                  {"is_draining", is_draining, METH_NOARGS, nullptr},
                                  {"ready", ready, METH_NOARGS, nullptr},
                                  {"begin_end", begin_end, METH_NOARGS, nullptr},
                                  {"websocket", websocket, METH_NOARGS, nullptr},
                                  {"say", say_sentence, METH_O, nullptr},
                                  {"log_exception", log_given_exception, METH_VARARGS, nullptr}};
  PyOwned core(PyModule_New("_rowhouse_core"));
  const PyOwned capsule(PyCapsule_New(this, nullptr, nullptr));
  if (!core || !capsule) return {};
  for (PyMethodDef& method : methods) {
    const PyOwned function(PyCFunction_New(&method, capsule.get()));
    if (!function || PyObject_SetAttrString(core.get(), method.ml_name, function.get()) != 0) return {};
  }
  const PyOwned descriptor(PyLong_FromLong(scheduler_.event_descriptor()));
  if (!descriptor || PyObject_SetAttrString(core.get(), "event_descriptor", descriptor.get()) != 0) return {};
  return core;
}

// --- life -----------------------------------------------------------------------------------------------

bool AsgiServer::prepare() {
  scheduler_.serve_event_loop();
  if (scopes_.prepare() && prepare_asgi_stream_type(scheduler_, scopes_) && prepare_asgi_socket_type()) {
    const PyOwned core = create_core();
    runtime_ = core ? create_runtime() : PyOwned();
    if (runtime_ && PyObject_SetAttrString(runtime_.get(), "core", core.get()) == 0) return true;
  }
  log_exception("preparing the event loop");
  return false;
}

bool AsgiServer::run() {
  const PyOwned failure(PyObject_CallMethod(runtime_.get(), "serve", "O", application_.get()));
  if (!failure) {
    log_exception("the event loop");
    return false;
  }
  if (failure.get() == Py_None) return true;
  say("the app's startup failed: " + readable(failure.get()));
  return false;
}

}  // namespace rowhouse::worker
