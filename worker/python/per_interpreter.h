// One value for each interpreter of the process: no Python object may be used by another interpreter than its own.  A
// worker has one interpreter, or the main one and one for each app of a share.  All of it needs the GIL of the
// interpreter that it is about; two GILs never meet in one value.
#pragma once

#include <array>

#include "proto/limits.h"
#include "worker/python/py_ref.h"

namespace rowhouse::worker {

inline constexpr std::size_t kMaxInterpreters = proto::kMaxAppsPerShare + 1;

// Of the interpreter that the calling thread runs in.  REQUIRES: at most kMaxInterpreters ever call it.
[[nodiscard]] std::size_t interpreter_index();

template <typename T>
class PerInterpreter {
 public:
  [[nodiscard]] T& here() { return values_[interpreter_index()]; }

 private:
  std::array<T, kMaxInterpreters> values_{};
};

// A static type that its owner fills and PyType_Ready has not seen yet.
[[nodiscard]] inline PyTypeObject new_type() {
  return {PyVarObject_HEAD_INIT(nullptr, 0)};
}

}  // namespace rowhouse::worker
