// The steward's workers.  A row is taken at Spawn and given back when the outcome has been reported, so what
// waits for a supervisor that does not read is bounded by the table.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/jail/worker_start.h"

namespace rowhouse::jail {

// Living workers of one sandbox, with those whose end is not reported yet.
inline constexpr std::size_t kMaxSandboxWorkers = 256;

enum class WorkerState : std::uint8_t { kFree, kLiving, kEnded };

struct WorkerRow {
  WorkerState state = WorkerState::kFree;
  std::uint32_t worker = 0;
  pid_t pid = 0;        // while living
  int wait_status = 0;  // when ended
  UniqueFd process;     // of one that a template has forked, while living: its pidfd in place of its pid
};

class WorkerTable {
 public:
  // Maps the memory in which children leave their StartError.
  static Result<WorkerTable> create();

  // A free row, its StartError cleared; nothing when the table is full.  The caller sets its state.
  [[nodiscard]] WorkerRow* find_free();
  [[nodiscard]] bool contains(std::uint32_t worker) const;
  // By its pid, or its pidfd while it is a child of ours that has not been reaped.  Nothing for an orphan of the app's.
  [[nodiscard]] WorkerRow* find_living(pid_t pid);
  [[nodiscard]] WorkerRow* find_ended();
  // The first row from `index` on that is not free; nothing when there is none.
  [[nodiscard]] const WorkerRow* find_used(std::size_t index) const;
  [[nodiscard]] std::size_t index_of(const WorkerRow& row) const {
    return static_cast<std::size_t>(&row - rows_.data());
  }

  // REQUIRES: `row` is of this table.
  [[nodiscard]] StartError& start_error(const WorkerRow& row) { return errors_[&row - rows_.data()]; }

 private:
  explicit WorkerTable(StartError* errors) : errors_(errors) {}
  std::array<WorkerRow, kMaxSandboxWorkers> rows_;
  StartError* errors_;  // shared memory for kMaxSandboxWorkers; stays mapped until the process ends
};

}  // namespace rowhouse::jail
