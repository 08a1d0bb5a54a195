#include "worker/python/per_interpreter.h"

#include <atomic>
#include <cstdlib>

namespace rowhouse::worker {
namespace {

// In the order of their first call.  None is ever removed: interpreters live as long as the process.
std::array<std::atomic<PyInterpreterState*>, kMaxInterpreters> known{};

}  // namespace

std::size_t interpreter_index() {
  PyInterpreterState* const mine = current_interpreter();
  for (std::size_t i = 0; i < known.size(); ++i) {
    PyInterpreterState* there = known[i].load(std::memory_order_acquire);
    if (there == nullptr && known[i].compare_exchange_strong(there, mine)) return i;
    if (there == mine) return i;
  }
  std::abort();
}

}  // namespace rowhouse::worker
