#include "supervisor/jail/worker_table.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>

namespace rowhouse::jail {
namespace {

// The child behind the descriptor has ended and has this pid.
bool has_ended_as(const UniqueFd& process, pid_t pid) {
  siginfo_t ended{};
  return ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == pid;
}

}  // namespace

Result<WorkerTable> WorkerTable::create() {
  void* memory = ::mmap(nullptr, sizeof(StartError) * kMaxSandboxWorkers, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return system_error("mmap");
  return WorkerTable(static_cast<StartError*>(memory));  // zero pages are zero atomics
}

WorkerRow* WorkerTable::find_free() {
  const auto is_free = [](const WorkerRow& row) { return row.state == WorkerState::kFree; };
  const auto row = std::find_if(rows_.begin(), rows_.end(), is_free);
  if (row == rows_.end()) return nullptr;
  start_error(*row).store(0, std::memory_order_relaxed);
  return &*row;
}

bool WorkerTable::contains(std::uint32_t worker) const {
  return std::any_of(rows_.begin(), rows_.end(), [worker](const WorkerRow& row) {
    return row.state != WorkerState::kFree && row.worker == worker;
  });
}

WorkerRow* WorkerTable::find_living(pid_t pid) {
  const auto row = std::find_if(rows_.begin(), rows_.end(), [pid](const WorkerRow& candidate) {
    if (candidate.state != WorkerState::kLiving) return false;
    return candidate.process.valid() ? has_ended_as(candidate.process, pid) : candidate.pid == pid;
  });
  return row == rows_.end() ? nullptr : &*row;
}

const WorkerRow* WorkerTable::find_used(std::size_t index) const {
  const auto from = rows_.begin() + static_cast<std::ptrdiff_t>(std::min(index, rows_.size()));
  const auto row = std::find_if(from, rows_.end(),
                                [](const WorkerRow& candidate) { return candidate.state != WorkerState::kFree; });
  return row == rows_.end() ? nullptr : &*row;
}

WorkerRow* WorkerTable::find_ended() {
  const auto has_ended = [](const WorkerRow& row) { return row.state == WorkerState::kEnded; };
  const auto row = std::find_if(rows_.begin(), rows_.end(), has_ended);
  return row == rows_.end() ? nullptr : &*row;
}

}  // namespace rowhouse::jail
