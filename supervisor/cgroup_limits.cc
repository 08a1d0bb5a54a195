#include "supervisor/cgroup_limits.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/cgroup_mounts.h"
#include "base/files.h"
#include "base/unique_fd.h"
#include "supervisor/cgroup_files.h"
#include "supervisor/disk.h"

namespace rowhouse::supervisor {
namespace {

using proto::ConfigKey;
using proto::Wall;

constexpr std::uint64_t kCpuPeriodUs = 100'000;
constexpr std::size_t kMaxSettingsBytes = 64 * 1024;

std::uint32_t bit(Wall wall) {
  return static_cast<std::uint32_t>(wall);
}
std::string or_max(std::uint64_t value) {
  return value == 0 ? "max" : std::to_string(value);
}
bool has_file(int directory, const char* name) {
  return ::faccessat(directory, name, F_OK, 0) == 0;
}

// One limit after the other: a refusal is noted and the next one is written.
class Writer {
 public:
  Writer(int directory, LimitOutcome& outcome) : directory_(directory), outcome_(outcome) {}

  bool write(ConfigKey key, const char* file, const std::string& text) {
    const Status written = write_kernel_file(directory_, file, text);
    if (!written.ok()) outcome_.refuse(key, written);
    return written.ok();
  }
  // Clears the wall from what is missing when the file exists and takes the value.
  void write_optional(ConfigKey key, Wall wall, const char* file, const std::string& text) {
    if (has_file(directory_, file) && write(key, file, text)) outcome_.missing &= ~bit(wall);
  }

 private:
  int directory_;
  LimitOutcome& outcome_;
};

// Lowering memory.max below what is used makes the kernel reclaim and kill inside this write, unless the file
// is non-blocking (since 6.16): then it happens in the group's own processes.  We never wait where we can
// avoid it.
Status write_memory_max(int directory, std::uint64_t bytes) {
  const UniqueFd file(::openat(directory, "memory.max", O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return system_error("openat memory.max");
  return write_all(file.get(), or_max(bytes));
}

// memory+swap may never be below memory: the one that grows first is written first, and a refusal puts back
// the other.
Status write_v1_memory(int directory, std::uint64_t bytes) {
  static constexpr const char* kMemory = "memory.limit_in_bytes";
  static constexpr const char* kBoth = "memory.memsw.limit_in_bytes";
  const std::string text = bytes == 0 ? "-1" : std::to_string(bytes);
  const std::uint64_t before = read_number(directory, kMemory);
  const bool grows = bytes == 0 || bytes >= before;
  if (!has_file(directory, kBoth)) return write_kernel_file(directory, kMemory, text);
  RH_TRY(write_kernel_file(directory, grows ? kBoth : kMemory, text));
  const Status second = write_kernel_file(directory, grows ? kMemory : kBoth, text);
  if (!second.ok() && !grows) {
    [[maybe_unused]] const Status restored = write_kernel_file(directory, kMemory, std::to_string(before));
  }
  return second;
}

void write_memory(int directory, CgroupVersion version, const CgroupLimits& limits, LimitOutcome& outcome) {
  Writer writer(directory, outcome);
  const bool v2 = version == CgroupVersion::kV2;
  const Status memory =
      v2 ? write_memory_max(directory, limits.memory_bytes) : write_v1_memory(directory, limits.memory_bytes);
  if (!memory.ok()) outcome.refuse(ConfigKey::kMemory, memory);
  if (v2) {
    writer.write_optional(ConfigKey::kMemoryHigh, Wall::kMemoryHigh, "memory.high",
                          or_max(limits.memory_high_bytes));
    if (has_file(directory, "memory.swap.max")) writer.write(ConfigKey::kSwap, "memory.swap.max", "0");
  } else {
    writer.write(ConfigKey::kSwap, "memory.swappiness", "0");
  }
}

void write_cpu(int directory, CgroupVersion version, const CgroupLimits& limits, LimitOutcome& outcome) {
  Writer writer(directory, outcome);
  const std::uint64_t quota_us = limits.cpu_percent * kCpuPeriodUs / 100;
  if (version == CgroupVersion::kV2) {
    writer.write(ConfigKey::kCpu, "cpu.max", or_max(quota_us) + " " + std::to_string(kCpuPeriodUs));
    writer.write_optional(ConfigKey::kCpuWeight, Wall::kCpuWeight, "cpu.weight",
                          std::to_string(limits.cpu_weight));
    return;
  }
  writer.write(ConfigKey::kCpu, "cpu.cfs_period_us", std::to_string(kCpuPeriodUs));
  writer.write(ConfigKey::kCpu, "cpu.cfs_quota_us", quota_us == 0 ? "-1" : std::to_string(quota_us));
  writer.write_optional(ConfigKey::kCpuWeight, Wall::kCpuWeight, "cpu.shares",
                        std::to_string(shares_of_weight(limits.cpu_weight)));
}

// The disk is divided by weight only where something does it: the cost model or BFQ.
void write_io_weight(int directory, CgroupVersion version, const CgroupLimits& limits,
                     LimitOutcome& outcome) {
  Writer writer(directory, outcome);
  const bool v2 = version == CgroupVersion::kV2;
  const std::uint32_t weight = limits.io_weight == 0 ? proto::kDefaultWeight : limits.io_weight;
  if (v2 && has_file(directory, "io.weight")) {
    writer.write(ConfigKey::kIoWeight, "io.weight", "default " + std::to_string(weight));
    if (cost_model_runs(limits.disk)) outcome.missing &= ~bit(Wall::kIoWeight);
  }
  const char* bfq = v2 ? "io.bfq.weight" : "blkio.bfq.weight";
  if (!has_file(directory, bfq)) return;
  writer.write(ConfigKey::kIoWeight, bfq, std::to_string(bfq_weight(weight)));
  if (scheduler_is_bfq(limits.disk)) outcome.missing &= ~bit(Wall::kIoWeight);
}

void write_io(int directory, CgroupVersion version, const CgroupLimits& limits, LimitOutcome& outcome) {
  write_io_weight(directory, version, limits, outcome);
  if (limits.disk.empty()) return;
  Writer writer(directory, outcome);
  if (version == CgroupVersion::kV2) {
    writer.write_optional(
        ConfigKey::kIo, Wall::kIoLimit, "io.max",
        limits.disk + " rbps=" + or_max(limits.io_read_bytes) + " wbps=" + or_max(limits.io_write_bytes));
    outcome.missing &= ~bit(Wall::kIoBufferedWrites);
    return;
  }
  const auto rule = [&](std::uint64_t bytes) { return limits.disk + " " + std::to_string(bytes); };
  const bool read =
      writer.write(ConfigKey::kIo, "blkio.throttle.read_bps_device", rule(limits.io_read_bytes));
  const bool write =
      writer.write(ConfigKey::kIo, "blkio.throttle.write_bps_device", rule(limits.io_write_bytes));
  if (read && write) outcome.missing &= ~bit(Wall::kIoLimit);
}

}  // namespace

void LimitOutcome::refuse(ConfigKey key, const Status& why) {
  if (refused.empty()) first_refusal = why;
  if (refused.empty() || refused.back() != key) refused.push_back(key);
}

std::uint32_t asked_walls(const CgroupLimits& limits) {
  std::uint32_t walls = 0;
  if (limits.memory_high_bytes != 0) walls |= bit(Wall::kMemoryHigh);
  if (limits.cpu_weight != proto::kDefaultWeight) walls |= bit(Wall::kCpuWeight);
  if (limits.io_weight != 0) walls |= bit(Wall::kIoWeight);
  if (limits.io_read_bytes != 0 || limits.io_write_bytes != 0) walls |= bit(Wall::kIoLimit);
  if (limits.io_write_bytes != 0) walls |= bit(Wall::kIoBufferedWrites);
  return walls;
}

void write_limits(int directory, CgroupVersion version, const Controllers& controllers,
                  const CgroupLimits& limits, LimitOutcome& outcome) {
  if (controllers.memory) write_memory(directory, version, limits, outcome);
  if (controllers.cpu) write_cpu(directory, version, limits, outcome);
  if (controllers.io) write_io(directory, version, limits, outcome);
  if (controllers.pids) Writer(directory, outcome).write(ConfigKey::kPids, "pids.max", or_max(limits.pids));
}

bool cost_model_runs(const std::string& disk) {
  const auto mounts = read_cgroup_mounts();
  if (!mounts.ok() || disk.empty()) return false;
  for (const CgroupMount& mount : mounts.value()) {
    if (!mount.unified) continue;
    const auto settings = read_file(AT_FDCWD, (mount.path + "/io.cost.qos").c_str(), kMaxSettingsBytes);
    if (settings.ok() && settings.value().find(disk + " enable=1") != std::string::npos) return true;
  }
  return false;
}

std::uint64_t shares_of_weight(std::uint32_t weight) {
  return (std::uint64_t{weight} * 1024 + proto::kDefaultWeight / 2) / proto::kDefaultWeight;
}

std::uint32_t bfq_weight(std::uint32_t weight) {
  constexpr std::uint32_t kMaxBfqWeight = 1000;
  if (weight <= proto::kDefaultWeight) return weight;
  return proto::kDefaultWeight + (weight - proto::kDefaultWeight) * (kMaxBfqWeight - proto::kDefaultWeight) /
                                     (proto::kMaxWeight - proto::kDefaultWeight);
}

}  // namespace rowhouse::supervisor
