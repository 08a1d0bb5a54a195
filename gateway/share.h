// This gateway's share of the limits that all gateways keep together: its own column of the shared table is
// written, the sums over all columns are checked (proto/shared_table.h).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "proto/shared_table.h"

namespace rowhouse::gateway {

// A row of workers.
class WorkerShare {
 public:
  WorkerShare(proto::WorkerCell* row, std::uint32_t own, std::uint32_t count)
      : row_(row), own_(own), count_(count) {}
  void set_in_flight(std::size_t streams) {
    row_[own_].in_flight.store(static_cast<std::uint32_t>(streams), std::memory_order_relaxed);
  }
  void set_given_up(std::size_t streams) {
    row_[own_].given_up.store(static_cast<std::uint32_t>(streams), std::memory_order_relaxed);
  }
  void add_request() { proto::add_to_own(row_[own_].requests, std::uint64_t{1}); }
  // Of all gateways.
  [[nodiscard]] std::uint32_t in_flight() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += row_[i].in_flight.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  proto::WorkerCell* row_;
  std::uint32_t own_;
  std::uint32_t count_;
};

// A row of apps.
class AppShare {
 public:
  AppShare() = default;
  AppShare(proto::AppCell* row, std::uint32_t own, std::uint32_t count)
      : row_(row), own_(own), count_(count) {}
  [[nodiscard]] proto::AppCell& own() const { return row_[own_]; }
  [[nodiscard]] std::uint32_t count() const { return count_; }  // of gateways
  [[nodiscard]] std::uint32_t in_flight() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += row_[i].in_flight.load(std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] std::uint32_t queued() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += row_[i].queued.load(std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] std::uint64_t admitted() const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += row_[i].admitted.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  proto::AppCell* row_ = nullptr;
  std::uint32_t own_ = 0;
  std::uint32_t count_ = 0;
};

// A row of what apps' tenants have of the network.
class TrafficShare {
 public:
  TrafficShare() = default;
  TrafficShare(proto::TrafficCell* row, std::uint32_t own, std::uint32_t count)
      : row_(row), own_(own), count_(count) {}
  [[nodiscard]] proto::TrafficCell& own() const { return row_[own_]; }
  [[nodiscard]] std::uint32_t connections() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += row_[i].connections.load(std::memory_order_relaxed);
    return sum;
  }
  [[nodiscard]] std::uint64_t bytes_out() const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < count_; ++i) sum += row_[i].bytes_out.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  proto::TrafficCell* row_ = nullptr;
  std::uint32_t own_ = 0;
  std::uint32_t count_ = 0;
};

// The shared table, mapped.
class ShareTable {
 public:
  ShareTable() = default;
  ~ShareTable();
  ShareTable(const ShareTable&) = delete;
  ShareTable& operator=(const ShareTable&) = delete;

  // Maps the memory file.  kInvalid when it is too small or the numbers are beyond the caps.
  Status map(int fd, std::uint32_t own, std::uint32_t count);
  // REQUIRES: map() succeeded; the row is below its cap.
  [[nodiscard]] WorkerShare worker(std::uint32_t row) { return {table_->workers[row], own_, count_}; }
  [[nodiscard]] AppShare app(std::uint32_t row) { return {table_->apps[row], own_, count_}; }
  // Our own cell of what is told about an app in metrics and bills.
  [[nodiscard]] proto::CountCell& counts(std::uint32_t row) { return table_->counts[own_][row]; }
  [[nodiscard]] TrafficShare traffic(std::uint32_t row) { return {table_->traffic[row], own_, count_}; }

 private:
  proto::SharedTable* table_ = nullptr;
  std::uint32_t own_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace rowhouse::gateway
