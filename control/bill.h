// What a tenant has used in one hour: the line of a bill.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "control/meter.h"

namespace rowhouse::control {

inline constexpr std::int64_t kHourSeconds = 3600;
inline constexpr std::int64_t kDaySeconds = 24 * kHourSeconds;

struct Bill {
  std::uint64_t cpu_us = 0;
  std::uint64_t memory_byte_seconds = 0;
  std::uint64_t requests = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;    // bodies
  std::uint64_t read_bytes = 0, written_bytes = 0;  // of disks
  // The most that a sample has seen.
  std::uint64_t workers_peak = 0, memory_peak = 0, processes_peak = 0, in_flight_peak = 0;
  std::map<std::string, std::uint64_t> faults;  // by kind: a cause code or a limit's name

  void add(const Bill& other);
};

// What an app's meter has grown by, on its tenant's bill: requests, bytes, faults of workers and visitors.
void bill_app(const Counts& grown, Bill& bill);
// The same of the tenant's own meter: what the kernel counts for all of its apps together.
void bill_tenant(const Counts& grown, Bill& bill);

// The kinds of faults that are limits of the kernel's.
inline constexpr const char* kThrottledFault = "cpu_throttled";      // periods of 100 ms
inline constexpr const char* kOomFault = "memory_oom_kills";         // processes
inline constexpr const char* kForkFault = "processes_refused";       // new processes and threads

// By the begin of the hour, in seconds since 1970-01-01T00:00:00Z, and the tenant.
using HourKey = std::pair<std::int64_t, std::string>;
using Bills = std::map<HourKey, Bill>;

}  // namespace rowhouse::control
