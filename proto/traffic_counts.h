// What gateways count of each app for metrics and bills: an array of numbers that only grow, in a fixed order, which
// the shared table, the message AppTraffic and rowhouse-control's database have in common.  A request is counted when
// it is over, also one for a static file or a refusal, so the requests of all classes together are what a bill shows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/causes.h"

namespace rowhouse::proto {

// Upper ends of the buckets of each histogram; one more bucket is without an end.
inline constexpr std::array<std::uint32_t, 10> kLatencyBoundsUs{
    100, 500, 2'000, 10'000, 50'000, 200'000, 1'000'000, 5'000'000, 20'000'000, 60'000'000};
inline constexpr std::size_t kLatencyBuckets = kLatencyBoundsUs.size() + 1;

// Refusals that are counted by name; the last place is for all others.
inline constexpr std::array<Cause, 8> kCountedRefusals{Cause::kQueueFull,  Cause::kQueueTimeout, Cause::kRate,
                                                       Cause::kConnections, Cause::kRequestTimeout, Cause::kWorkerGone,
                                                       Cause::kBackoff,     Cause::kTooLarge};

// Where what stands in the array.
inline constexpr std::size_t kClassCounts = 0;  // requests: 0 the client went before an answer, 1 to 5 by status / 100
inline constexpr std::size_t kClasses = 6;
inline constexpr std::size_t kBytesInCount = kClassCounts + kClasses;  // request bodies
inline constexpr std::size_t kBytesOutCount = kBytesInCount + 1;       // response bodies
inline constexpr std::size_t kRefusalCounts = kBytesOutCount + 1;
inline constexpr std::size_t kRefusals = kCountedRefusals.size() + 1;
// Three histograms of the requests that went to the app: the buckets (each request in one), then the sum in us.
inline constexpr std::size_t kGatewayHistogram = kRefusalCounts + kRefusals;  // head complete -> in the queue
inline constexpr std::size_t kHistogramCounts = kLatencyBuckets + 1;
inline constexpr std::size_t kQueueHistogram = kGatewayHistogram + kHistogramCounts;  // -> sent to a worker
inline constexpr std::size_t kAppHistogram = kQueueHistogram + kHistogramCounts;      // -> its end
inline constexpr std::size_t kTrafficCounts = kAppHistogram + kHistogramCounts;

[[nodiscard]] constexpr std::size_t latency_bucket(std::uint32_t us) {
  std::size_t bucket = 0;
  while (bucket < kLatencyBoundsUs.size() && us > kLatencyBoundsUs[bucket]) ++bucket;
  return bucket;
}

[[nodiscard]] constexpr std::size_t class_of_status(std::uint16_t status) {
  const std::size_t of_hundreds = status / 100;
  return of_hundreds < kClasses ? of_hundreds : 0;
}

// The place in the array of a refusal with this cause.
[[nodiscard]] constexpr std::size_t refusal_count(Cause cause) {
  std::size_t place = 0;
  while (place < kCountedRefusals.size() && kCountedRefusals[place] != cause) ++place;
  return kRefusalCounts + place;
}

}  // namespace rowhouse::proto
