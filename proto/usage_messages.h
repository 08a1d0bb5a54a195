// supervisor -> control, in the answer to a Query: what the kernel has counted for an app and for a tenant,
// read from the files of their cgroups at that moment, and what the gateways have counted.  With request 0 nobody has
// asked: the last word before the counters go.
#pragma once

#include "base/bytes.h"
#include "proto/loader_messages.h"
#include "proto/message.h"
#include "proto/traffic_counts.h"

namespace rowhouse::proto {

// The kernel does not say.
inline constexpr std::uint64_t kUnknownCount = 0xffff'ffff'ffff'ffff;

// supervisor -> control, before ControlSetup: where control keeps its usage database, a directory of its own below
// the state directory.
struct UsageDirectory {
  static constexpr MessageType kType = MessageType::kUsageDirectory;
  static constexpr std::size_t kDescriptors = 1;
  static constexpr void fields(auto&, auto&) {}
};

struct Usage {
  std::uint64_t memory_bytes = kUnknownCount;
  std::uint64_t memory_peak_bytes = kUnknownCount;
  std::uint64_t memory_limit_bytes = 0;  // 0: none of its own
  std::uint64_t swap_bytes = kUnknownCount;
  std::uint64_t oom_kills = 0;                      // processes
  std::uint64_t pids = kUnknownCount;               // processes and threads
  std::uint32_t pids_limit = 0;                     // 0: none of its own
  std::uint64_t forks_refused = 0;                  // because of a pids limit
  std::uint32_t cpu_percent = 0;                    // the quota, of one core; 0: none of its own
  std::uint64_t throttled_periods = kUnknownCount;  // of 100 ms, in which the quota was used up
  std::uint64_t throttled_us = kUnknownCount;
  std::uint64_t io_read_bytes = kUnknownCount;
  std::uint64_t io_write_bytes = kUnknownCount;
  std::uint64_t cpu_us = kUnknownCount;  // used
  std::uint64_t epoch = 0;               // another one: the groups were made anew, and their counters began at 0
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.memory_bytes, m.memory_peak_bytes, m.memory_limit_bytes, m.swap_bytes, m.oom_kills, m.pids,
          m.pids_limit, m.forks_refused, m.cpu_percent, m.throttled_periods, m.throttled_us, m.io_read_bytes,
          m.io_write_bytes, m.cpu_us, m.epoch);
  }
};

struct AppUsage {
  static constexpr MessageType kType = MessageType::kAppUsage;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  std::uint32_t app = 0;
  Usage usage;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.app);
    Usage::fields(m.usage, visit);
  }
};

// What the gateways have counted for an app that has had a request, and what it has now.
struct AppTraffic {
  static constexpr MessageType kType = MessageType::kAppTraffic;
  static constexpr std::size_t kDescriptors = 0;
  using Counts = std::array<std::uint8_t, 8 * kTrafficCounts>;
  std::uint32_t request = 0;
  std::uint32_t app = 0;
  std::uint64_t epoch = 0;  // another one: the counts began at 0
  std::uint32_t in_flight = 0;
  std::uint32_t queued = 0;
  Counts counts{};  // u64s in the order of proto/traffic_counts.h
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.app, m.epoch, m.in_flight, m.queued, m.counts);
  }
  [[nodiscard]] std::uint64_t count(std::size_t place) const {
    return ByteReader(ByteSpan(counts).subspan(8 * place, 8)).u64();
  }
  void set_count(std::size_t place, std::uint64_t value) {
    ByteWriter(std::span(counts).subspan(8 * place, 8)).integer(value);
  }
};

// All apps of the tenant together.
struct TenantUsage {
  static constexpr MessageType kType = MessageType::kTenantUsage;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  Name plan;
  Usage usage;
  // Of the plan; 0: no limit.
  std::uint32_t concurrency = 0;  // requests in flight
  std::uint32_t rate = 0;         // requests in a second
  std::uint32_t connections = 0;  // of clients
  std::uint32_t workers = 0;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.tenant, m.plan);
    Usage::fields(m.usage, visit);
    visit(m.concurrency, m.rate, m.connections, m.workers);
  }
};

}  // namespace rowhouse::proto
