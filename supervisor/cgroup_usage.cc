#include "supervisor/cgroup_usage.h"

#include <charconv>
#include <optional>
#include <sstream>
#include <string>

#include "base/files.h"
#include "supervisor/cgroup_files.h"

namespace rowhouse::supervisor {
namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;
// cgroup v1 shows "no limit" as the largest multiple of a page.
constexpr std::uint64_t kNoV1Limit = std::uint64_t{1} << 62;

std::string read_text(int directory, const char* file) {
  auto content = read_file(directory, file, kMaxFileBytes);
  return content.ok() ? std::move(content).value() : "";
}

// The number that a file begins with; `otherwise` when there is none ("max") or no such file.
std::uint64_t number_or(int directory, const char* file, std::uint64_t otherwise) {
  const std::string text = read_text(directory, file);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} ? number : otherwise;
}

std::uint64_t keyed_or_unknown(int directory, const char* file, std::string_view key) {
  return find_keyed_number(read_text(directory, file), key).value_or(proto::kUnknownCount);
}

void read_memory_v2(int directory, proto::Usage& usage) {
  usage.memory_bytes = number_or(directory, "memory.current", proto::kUnknownCount);
  usage.memory_peak_bytes = number_or(directory, "memory.peak", proto::kUnknownCount);
  usage.memory_limit_bytes = number_or(directory, "memory.max", 0);
  usage.swap_bytes = number_or(directory, "memory.swap.current", proto::kUnknownCount);
}

void read_memory_v1(int directory, proto::Usage& usage) {
  usage.memory_bytes = number_or(directory, "memory.usage_in_bytes", proto::kUnknownCount);
  usage.memory_peak_bytes = number_or(directory, "memory.max_usage_in_bytes", proto::kUnknownCount);
  const std::uint64_t limit = number_or(directory, "memory.limit_in_bytes", 0);
  usage.memory_limit_bytes = limit < kNoV1Limit ? limit : 0;
  const std::uint64_t both = number_or(directory, "memory.memsw.usage_in_bytes", proto::kUnknownCount);
  // The two files are read one after the other.
  if (both != proto::kUnknownCount)
    usage.swap_bytes = both > usage.memory_bytes ? both - usage.memory_bytes : 0;
}

std::uint32_t percent(std::uint64_t quota_us, std::uint64_t period_us) {
  return period_us == 0 ? 0 : static_cast<std::uint32_t>(quota_us * 100 / period_us);
}

void read_cpu_v2(int directory, proto::Usage& usage) {
  std::istringstream limit(read_text(directory, "cpu.max"));
  std::uint64_t quota_us = 0, period_us = 0;
  if (limit >> quota_us >> period_us) usage.cpu_percent = percent(quota_us, period_us);
  usage.throttled_periods = keyed_or_unknown(directory, "cpu.stat", "nr_throttled");
  usage.throttled_us = keyed_or_unknown(directory, "cpu.stat", "throttled_usec");
}

void read_cpu_v1(int directory, proto::Usage& usage) {
  const std::uint64_t quota_us = number_or(directory, "cpu.cfs_quota_us", 0);  // "-1": no number
  usage.cpu_percent = percent(quota_us, number_or(directory, "cpu.cfs_period_us", 0));
  usage.throttled_periods = keyed_or_unknown(directory, "cpu.stat", "nr_throttled");
  usage.throttled_us = keyed_or_unknown(directory, "cpu.stat", "throttled_time");
  if (usage.throttled_us != proto::kUnknownCount) usage.throttled_us /= 1000;  // v1 counts nanoseconds
}

// The unified tree counts CPU time in every group, also beside v1 controllers; v1 where cpuacct is.
void read_cpu_time(int directory, CgroupVersion version, proto::Usage& usage) {
  if (version == CgroupVersion::kV2) {
    usage.cpu_us = keyed_or_unknown(directory, "cpu.stat", "usage_usec");
  } else if (usage.cpu_us == proto::kUnknownCount) {
    const std::uint64_t ns = number_or(directory, "cpuacct.usage", proto::kUnknownCount);
    if (ns != proto::kUnknownCount) usage.cpu_us = ns / 1000;
  }
}

void read_io(int directory, CgroupVersion version, proto::Usage& usage) {
  if (version == CgroupVersion::kV2) {
    const std::string text = read_text(directory, "io.stat");
    usage.io_read_bytes = sum_io_stat(text, "rbytes");
    usage.io_write_bytes = sum_io_stat(text, "wbytes");
    return;
  }
  const std::string text = read_text(directory, "blkio.throttle.io_service_bytes_recursive");
  usage.io_read_bytes = sum_blkio(text, "Read");
  usage.io_write_bytes = sum_blkio(text, "Write");
}

}  // namespace

void read_usage(int directory, CgroupVersion version, const Controllers& controllers, proto::Usage& usage) {
  const bool v2 = version == CgroupVersion::kV2;
  read_cpu_time(directory, version, usage);
  if (controllers.memory) v2 ? read_memory_v2(directory, usage) : read_memory_v1(directory, usage);
  if (controllers.cpu) v2 ? read_cpu_v2(directory, usage) : read_cpu_v1(directory, usage);
  if (controllers.io) read_io(directory, version, usage);
  if (!controllers.pids) return;
  usage.pids = number_or(directory, "pids.current", proto::kUnknownCount);
  usage.pids_limit = static_cast<std::uint32_t>(number_or(directory, "pids.max", 0));
}

LeafCounters read_leaf_counters(int directory, CgroupVersion version, const Controllers& controllers) {
  LeafCounters counters;
  const char* events = version == CgroupVersion::kV2 ? "memory.events.local" : "memory.oom_control";
  if (controllers.memory) counters.oom_kills = read_keyed_number(directory, events, "oom_kill");
  if (controllers.pids) counters.forks_refused = read_keyed_number(directory, "pids.events", "max");
  return counters;
}

std::optional<std::uint64_t> read_memory_limit_hits(int directory, CgroupVersion version) {
  if (version != CgroupVersion::kV2) return std::nullopt;
  return find_keyed_number(read_text(directory, "memory.events.local"), "oom");
}

std::uint64_t sum_io_stat(std::string_view text, std::string_view key) {
  std::istringstream words{std::string(text)};
  std::uint64_t sum = 0;
  for (std::string word; words >> word;) {
    if (!word.starts_with(key) || word.size() <= key.size() || word[key.size()] != '=') continue;
    std::uint64_t number = 0;
    std::from_chars(word.data() + key.size() + 1, word.data() + word.size(), number);
    sum += number;
  }
  return sum;
}

std::uint64_t sum_blkio(std::string_view text, std::string_view kind) {
  std::istringstream lines{std::string(text)};
  std::uint64_t sum = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device, name;
    std::uint64_t number = 0;
    if (words >> device >> name >> number && name == kind) sum += number;
  }
  return sum;
}

}  // namespace rowhouse::supervisor
