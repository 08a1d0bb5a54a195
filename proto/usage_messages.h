// supervisor -> control, in the answer to a Query: what the kernel has counted for an app and for a tenant,
// read from the files of their cgroups at that moment.
#pragma once

#include "proto/loader_messages.h"
#include "proto/message.h"

namespace rowhouse::proto {

// The kernel does not say.
inline constexpr std::uint64_t kUnknownCount = 0xffff'ffff'ffff'ffff;

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
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.memory_bytes, m.memory_peak_bytes, m.memory_limit_bytes, m.swap_bytes, m.oom_kills, m.pids,
          m.pids_limit, m.forks_refused, m.cpu_percent, m.throttled_periods, m.throttled_us, m.io_read_bytes,
          m.io_write_bytes);
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

// All apps of the tenant together.
struct TenantUsage {
  static constexpr MessageType kType = MessageType::kTenantUsage;
  static constexpr std::size_t kDescriptors = 0;
  std::uint32_t request = 0;
  Name tenant;
  Name plan;
  Usage usage;
  static constexpr void fields(auto& m, auto& visit) {
    visit(m.request, m.tenant, m.plan);
    Usage::fields(m.usage, visit);
  }
};

}  // namespace rowhouse::proto
