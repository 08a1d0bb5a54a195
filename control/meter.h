// Counters that only grow, out of readings that begin anew now and then: a gateway table that was made again, a cgroup
// that was removed and made, an app whose supervisor counts from 0.  Pure.
//
// A reading carries the epoch of what it was read from.  Within one epoch the meter grows by the difference to the last
// reading; with another epoch, by all that the new one says.  So nothing is counted twice, whoever was restarted, and
// nothing is lost while the last reading of an epoch comes before its end (proto: request 0).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "proto/traffic_counts.h"
#include "proto/usage_messages.h"

namespace rowhouse::control {

// Where what stands in a meter's array; before these: proto/traffic_counts.h.
inline constexpr std::size_t kCpuCount = proto::kTrafficCounts;  // us
inline constexpr std::size_t kThrottledPeriods = kCpuCount + 1;
inline constexpr std::size_t kThrottledUs = kCpuCount + 2;
inline constexpr std::size_t kReadBytes = kCpuCount + 3;
inline constexpr std::size_t kWrittenBytes = kCpuCount + 4;
inline constexpr std::size_t kOomKills = kCpuCount + 5;
inline constexpr std::size_t kForksRefused = kCpuCount + 6;
inline constexpr std::size_t kRestartCount = kCpuCount + 7;
// Endings of workers, by the number of their cause.
inline constexpr std::size_t kEndingCounts = kCpuCount + 8;
inline constexpr std::size_t kEndings = 32;  // causes from here on are refusals of the gateway
inline constexpr std::size_t kMeterCounts = kEndingCounts + kEndings;

using Counts = std::array<std::uint64_t, kMeterCounts>;

class Meter {
 public:
  // What the readings begin anew with.  Those of kNone have no epoch: where they shrink they began anew, and what they had
  // grown by until they were read for the first time is passed over, so that it cannot be counted twice.
  enum class Source : std::uint8_t { kTraffic = 0, kGroup = 1, kNone = 2 };

  // Readings of the counters from `first` on; what they have grown by is added to `grown`.  A reading of
  // proto::kUnknownCount is none.
  void advance(Source source, std::uint64_t epoch, std::size_t first, std::span<const std::uint64_t> readings,
               Counts& grown);
  // Something that is counted here and nowhere else.
  void add(std::size_t place, Counts& grown);
  [[nodiscard]] const Counts& totals() const { return totals_; }

  // The usual readings of an app or a tenant.
  void take_usage(const proto::Usage& usage, Counts& grown);
  void take_traffic(const proto::AppTraffic& traffic, Counts& grown);

  // For the database: small while most counters are 0.
  [[nodiscard]] std::string encode() const;
  // Nothing when these are no bytes of encode().
  [[nodiscard]] static std::optional<Meter> decode(std::string_view bytes);

 private:
  Counts last_{}, totals_{};
  std::array<std::uint64_t, 3> epochs_{};
};

}  // namespace rowhouse::control
