#include "worker/python/stacks.h"

#include <unistd.h>

#include "proto/lifeline.h"
#include "worker/python/py_ref.h"

namespace rowhouse::worker {

bool write_stacks_on_signal() {
  const PyOwned module(PyImport_ImportModule("faulthandler"));
  const PyOwned method(module ? PyObject_GetAttrString(module.get(), "register") : nullptr);
  // The number of the descriptor and no file object: the app may replace or close sys.stderr.
  const PyOwned enabled(module ? PyObject_CallMethod(module.get(), "enable", "i", STDERR_FILENO) : nullptr);
  if (!enabled) return false;
  const PyOwned arguments(Py_BuildValue("(iiii)", proto::kStacksSignal, STDERR_FILENO, /*all_threads=*/1,
                                        /*chain=*/0));
  if (!method || !arguments) return false;
  const PyOwned none(PyObject_CallObject(method.get(), arguments.get()));
  return static_cast<bool>(none);
}

}  // namespace rowhouse::worker
