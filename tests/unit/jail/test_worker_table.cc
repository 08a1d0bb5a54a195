#include <doctest/doctest.h>

#include "supervisor/jail/worker_table.h"

namespace rowhouse::jail {

TEST_CASE("a table has room for its cap of workers and no more") {
  WorkerTable table = std::move(WorkerTable::create()).value();
  for (std::size_t i = 0; i < kMaxSandboxWorkers; ++i) {
    WorkerRow* row = table.find_free();
    REQUIRE(row != nullptr);
    *row = {WorkerState::kLiving, static_cast<std::uint32_t>(i), static_cast<pid_t>(100 + i), 0, {}};
  }
  CHECK(table.find_free() == nullptr);
  CHECK(table.contains(kMaxSandboxWorkers - 1));
  CHECK_FALSE(table.contains(kMaxSandboxWorkers));
}

TEST_CASE("a worker that has ended is not found by its pid, which the kernel may give to another") {
  WorkerTable table = std::move(WorkerTable::create()).value();
  *table.find_free() = {WorkerState::kEnded, 1, 100, 0, {}};
  *table.find_free() = {WorkerState::kLiving, 2, 100, 0, {}};
  REQUIRE(table.find_living(100) != nullptr);
  CHECK(table.find_living(100)->worker == 2);
  REQUIRE(table.find_ended() != nullptr);
  CHECK(table.find_ended()->worker == 1);
}

TEST_CASE("a row that is used again begins without the error of its last worker") {
  WorkerTable table = std::move(WorkerTable::create()).value();
  WorkerRow* row = table.find_free();
  table.start_error(*row).store(ENOENT);
  CHECK(table.find_free() == row);
  CHECK(table.start_error(*row).load() == 0);
}

}  // namespace rowhouse::jail
