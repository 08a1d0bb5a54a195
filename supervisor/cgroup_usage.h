// What the kernel counts for a group, from the files of one of its directories.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/usage_messages.h"
#include "supervisor/cgroup_limits.h"

namespace rowhouse::supervisor {

// Adds what this directory's controllers say.  oom_kills and forks_refused are left alone: see LeafCounters.
void read_usage(int directory, CgroupVersion version, const Controllers& controllers, proto::Usage& usage);

// Counters that some kernels keep only where it happened: in the leaf.  They go with the leaf, so its owner
// adds them up before it is removed.
struct LeafCounters {
  std::uint64_t oom_kills = 0;
  std::uint64_t forks_refused = 0;
  LeafCounters& operator+=(const LeafCounters& other) {
    oom_kills += other.oom_kills;
    forks_refused += other.forks_refused;
    return *this;
  }
  // Counters only grow; a group that is half removed shows fewer.
  void raise_to(const LeafCounters& seen) {
    oom_kills = std::max(oom_kills, seen.oom_kills);
    forks_refused = std::max(forks_refused, seen.forks_refused);
  }
};
[[nodiscard]] LeafCounters read_leaf_counters(int directory, CgroupVersion version,
                                              const Controllers& controllers);

// How often this group's own memory limit could not be met.  Only cgroup v2 counts that: v1's failcnt stands
// still on newer kernels.
[[nodiscard]] std::optional<std::uint64_t> read_memory_limit_hits(int directory, CgroupVersion version);

// The sum of the numbers behind `key` in the text of an io.stat file: "254:0 rbytes=1 wbytes=2 ...".
[[nodiscard]] std::uint64_t sum_io_stat(std::string_view text, std::string_view key);
// The same of a blkio file: "254:0 Read 1", one a line.
[[nodiscard]] std::uint64_t sum_blkio(std::string_view text, std::string_view kind);

}  // namespace rowhouse::supervisor
