// The table that all gateways share to keep one set of limits (DESIGN: several gateways, one set of limits).
// A memory file made by the supervisor and mapped by gateways only, never by a worker.  A gateway writes only
// the cells of its own column and reads the others; the supervisor zeroes the column of a dead gateway and
// reads the counters.  Rows are given out by the supervisor (AppBegin.slot, WorkerAdd.slot); untouched pages
// cost nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "proto/limits.h"
#include "proto/traffic_counts.h"

namespace rowhouse::proto {

// One gateway's share of one app.  Written by one process, so relaxed loads and stores suffice.
struct alignas(64) AppCell {
  std::atomic<std::uint32_t> in_flight;
  std::atomic<std::uint32_t> queued;
  std::atomic<std::uint64_t> requests;       // answered
  std::atomic<std::uint64_t> queue_wait_us;  // sum over answered requests
  std::atomic<std::uint64_t> bytes_in;       // request bodies
  std::atomic<std::uint64_t> bytes_out;      // response bodies
  std::atomic<std::uint64_t> server_errors;  // answers of 500 and above
  std::atomic<std::uint64_t> admitted;       // requests that passed the tenant's rate
};
static_assert(sizeof(AppCell) == 64);

// One gateway's share of what an app's tenant has of the network.  A gateway tells what it knows of a tenant in one row
// of the tenant's apps, whichever it likes.
struct alignas(64) TrafficCell {
  std::atomic<std::uint32_t> connections;  // of clients, now
  std::atomic<std::uint64_t> bytes_out;    // to clients; counted while the plan limits them
};
static_assert(sizeof(TrafficCell) == 64);

// One gateway's share of one worker.
struct WorkerCell {
  std::atomic<std::uint32_t> in_flight;
  std::atomic<std::uint32_t> given_up;  // of those in flight: nobody waits for them any more
  std::atomic<std::uint64_t> requests;
};
static_assert(sizeof(WorkerCell) == 16);

// One gateway's share of what is told about an app in metrics and bills (proto/traffic_counts.h).  It only grows while
// the app has the row.
struct alignas(64) CountCell {
  std::atomic<std::uint64_t> counts[kTrafficCounts];
};

struct SharedTable {
  AppCell apps[kMaxApps][kMaxGateways];
  WorkerCell workers[kMaxWorkers][kMaxGateways];
  TrafficCell traffic[kMaxApps][kMaxGateways];
  // By gateway first: the pages of columns that nobody has are never touched.
  CountCell counts[kMaxGateways][kMaxApps];
  // The supervisor's alone.
  std::atomic<std::uint64_t> made_at_ns;             // of this table
  std::atomic<std::uint64_t> columns_used;           // bit n: a gateway has had column n
  std::atomic<std::uint64_t> row_epochs[kMaxApps];   // when the row was given to its app: another one, other counts
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// Adds to a cell of one's own column.
template <typename Integer>
void add_to_own(std::atomic<Integer>& cell, Integer amount) {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace rowhouse::proto
