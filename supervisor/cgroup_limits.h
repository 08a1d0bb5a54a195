// Limits as the kernel's files take them, in both worlds (cgroup-v2.rst; cgroup-v1/memory.rst,
// blkio-controller.rst, scheduler/sched-bwc.rst).  Each limit is set, or named as missing on this host, or
// named as refused; none is dropped silently.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/jail_messages.h"
#include "proto/reload_messages.h"

namespace rowhouse::supervisor {

enum class CgroupVersion : std::uint8_t { kV1, kV2 };

// What one hierarchy is used for.
struct Controllers {
  bool memory = false, pids = false, cpu = false, io = false, freezer = false;
};

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;       // 0: none
  std::uint64_t memory_high_bytes = 0;  // 0: none
  std::uint32_t pids = 0;               // 0: none
  std::uint32_t cpu_percent = 0;        // of one core; 0: none
  std::uint32_t cpu_weight = proto::kDefaultWeight;
  std::uint32_t io_weight = 0;                          // 0: the kernel's default
  std::uint64_t io_read_bytes = 0, io_write_bytes = 0;  // of each second; 0: no limit
  std::string disk;  // that the io limits are for: "254:0"; empty: none that takes limits
};

struct LimitOutcome {
  std::uint32_t missing = 0;              // set of proto::Wall: asked for, and this host cannot
  std::vector<proto::ConfigKey> refused;  // the kernel refused; what was in force before still is
  Status first_refusal;
  void refuse(proto::ConfigKey key, const Status& why);
};

// The walls that these limits ask for beside memory, pids and cpu quota.
[[nodiscard]] std::uint32_t asked_walls(const CgroupLimits& limits);

// The io cost model, which makes io.weight count, runs for the disk (io.cost.qos of the root group).
[[nodiscard]] bool cost_model_runs(const std::string& disk);

// Writes what the directory's controllers take, and clears from outcome.missing what is in force then.
void write_limits(int directory, CgroupVersion version, const Controllers& controllers,
                  const CgroupLimits& limits, LimitOutcome& outcome);

// cpu.weight as cpu.shares: the scheduler itself takes weight * 1024 / 100 (kernel/sched:
// sched_weight_from_cgroup).
[[nodiscard]] std::uint64_t shares_of_weight(std::uint32_t weight);
// io.weight on BFQ's scale of 1 to 1000, where 100 is the default on both.
[[nodiscard]] std::uint32_t bfq_weight(std::uint32_t weight);

}  // namespace rowhouse::supervisor
