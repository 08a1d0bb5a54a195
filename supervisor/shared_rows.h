// The supervisor's side of the table that the gateways share (proto/shared_table.h): makes it, gives out its rows
// and reads its counters.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/shared_table.h"
#include "proto/usage_messages.h"

namespace rowhouse::supervisor {

class SharedRows {
 public:
  static Result<std::unique_ptr<SharedRows>> create();
  // The table of an earlier supervisor; the rows that are in use, in any order.
  static Result<std::unique_ptr<SharedRows>> adopt(UniqueFd memory, const std::vector<std::uint32_t>& apps,
                                                   const std::vector<std::uint32_t>& workers);
  ~SharedRows();
  SharedRows(const SharedRows&) = delete;
  SharedRows& operator=(const SharedRows&) = delete;

  // Tells this table, and what is counted since it was made, from every other.
  [[nodiscard]] std::uint64_t made_at_ns() const { return table_->made_at_ns.load(std::memory_order_relaxed); }
  [[nodiscard]] int memory() const { return memory_.get(); }
  // A row that is all zero; kTooLarge when none is left.
  Result<std::uint32_t> take_app();
  Result<std::uint32_t> take_worker();
  void give_back_app(std::uint32_t row);
  void give_back_worker(std::uint32_t row);
  // A gateway is about to have this column.
  void open_column(std::uint32_t gateway);
  // A gateway died: what it had in flight is no more.  Its counters of answered requests are kept.
  void clear_column(std::uint32_t gateway);
  [[nodiscard]] std::uint32_t app_queued(std::uint32_t row) const;
  [[nodiscard]] std::uint32_t app_in_flight(std::uint32_t row) const;
  // Adds up what all gateways have counted since the row was taken; false: nothing yet.  What is no count of the
  // gateways is left alone.
  [[nodiscard]] bool sum_counts(std::uint32_t row, proto::AppTraffic& traffic) const;
  // Requests of all gateways that are in the worker.
  [[nodiscard]] std::uint32_t worker_in_flight(std::uint32_t row) const;
  // Of those, the ones that somebody waits for.
  [[nodiscard]] std::uint32_t worker_awaited(std::uint32_t row) const;
  [[nodiscard]] std::uint64_t worker_requests(std::uint32_t row) const;

 private:
  SharedRows() = default;
  static Result<std::unique_ptr<SharedRows>> map(UniqueFd memory);

  [[nodiscard]] bool has_column(std::uint32_t gateway) const;

  UniqueFd memory_;
  proto::SharedTable* table_ = nullptr;
  std::vector<std::uint32_t> free_apps_, free_workers_;
  std::uint32_t next_app_ = 0, next_worker_ = 0;  // rows that were never used
};

}  // namespace rowhouse::supervisor
