// The only holders of Python references.  PyOwned owns one and drops it; PyBorrowed says that somebody else
// does. Also the differences between CPython 3.8 and 3.13 that the worker meets.  All of it needs the GIL.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "worker/call_cost.h"

namespace rowhouse::worker {

class PyBorrowed {
 public:
  PyBorrowed() = default;
  explicit PyBorrowed(PyObject* object) : object_(object) {}
  [[nodiscard]] PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

class PyOwned {
 public:
  PyOwned() = default;
  // Takes over a new reference, as most functions of the C API return it; null is fine.
  explicit PyOwned(PyObject* owned) : object_(owned) {}
  // Makes a reference of its own.
  explicit PyOwned(PyBorrowed borrowed) : object_(borrowed.get()) { Py_XINCREF(object_); }
  PyOwned(PyOwned&& other) noexcept : object_(other.release()) {}
  PyOwned& operator=(PyOwned&& other) noexcept {
    reset(other.release());
    return *this;
  }
  PyOwned(const PyOwned&) = delete;
  PyOwned& operator=(const PyOwned&) = delete;
  ~PyOwned() { Py_XDECREF(object_); }

  [[nodiscard]] PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
  void reset(PyObject* owned = nullptr) {
    PyObject* const old = std::exchange(object_, owned);
    Py_XDECREF(old);
  }

 private:
  PyObject* object_ = nullptr;
};

// The GIL is free for the life of this object.
class GilReleased {
 public:
  GilReleased() : state_(PyEval_SaveThread()) {}
  ~GilReleased() {
    const SystemClock clock;
    const Instant asked = clock.now();
    PyEval_RestoreThread(state_);
    CallCost::mine().add_gil_wait(clock.now() - asked);
  }
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  PyThreadState* state_;
};

// A thread that Python has not started, inside an interpreter and with its GIL for the life of this object.  Not by
// PyGILState_Ensure, which knows the main interpreter only.
class AttachedThread {
 public:
  explicit AttachedThread(PyInterpreterState* interpreter) : state_(PyThreadState_New(interpreter)) {
    PyEval_RestoreThread(state_);
  }
  ~AttachedThread() {
    PyThreadState_Clear(state_);
    PyThreadState_DeleteCurrent();
  }
  AttachedThread(const AttachedThread&) = delete;
  AttachedThread& operator=(const AttachedThread&) = delete;

 private:
  PyThreadState* state_;
};

// Of the calling thread.
[[nodiscard]] inline PyInterpreterState* current_interpreter() {
#if PY_VERSION_HEX < 0x03090000
  return PyThreadState_Get()->interp;
#else
  return PyInterpreterState_Get();
#endif
}

// Keeps the pending exception aside for the life of this object, and puts it back at the end.
class PendingException {
 public:
  PendingException() { PyErr_Fetch(&type_, &value_, &traceback_); }
  ~PendingException() { PyErr_Restore(type_, value_, traceback_); }
  PendingException(const PendingException&) = delete;
  PendingException& operator=(const PendingException&) = delete;

 private:
  PyObject* type_ = nullptr;
  PyObject* value_ = nullptr;
  PyObject* traceback_ = nullptr;
};

[[nodiscard]] inline PyOwned latin1(std::string_view text) {
  return PyOwned(PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
}

[[nodiscard]] inline PyOwned interned(const char* text) {
  return PyOwned(PyUnicode_InternFromString(text));
}

// The characters of a str that has only latin-1 ones; false when it has others.  Borrowed from the str.
[[nodiscard]] inline bool latin1_view(PyObject* text, std::string_view& view) {
#if PY_VERSION_HEX < 0x030c0000
  if (PyUnicode_READY(text) != 0) return false;
#endif
  if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) return false;
  view = {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text)),
          static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))};
  return true;
}

// A str for people: UTF-8, with what has no UTF-8 form escaped; empty and no exception when that fails.
[[nodiscard]] std::string readable(PyObject* text);

#if PY_VERSION_HEX < 0x03090000
#define RH_PY_VECTORCALL _PyObject_Vectorcall
#define RH_PY_HAVE_VECTORCALL _Py_TPFLAGS_HAVE_VECTORCALL
#else
#define RH_PY_VECTORCALL PyObject_Vectorcall
#define RH_PY_HAVE_VECTORCALL Py_TPFLAGS_HAVE_VECTORCALL
#endif

}  // namespace rowhouse::worker
