// What a tenant has of the network, over all its apps and all gateways together: client connections, which are counted
// against a limit, and bytes to clients, which leave a token bucket.  Both are told to the other gateways in one row
// of the shared table that is the tenant's: each gateway stores its own count of connections and adds what it sent.
// Pure: knows no socket and no timer (pacer.h does).
#pragma once

#include <cstdint>
#include <map>

#include "base/clock.h"
#include "gateway/share.h"
#include "gateway/shared_bucket.h"

namespace rowhouse::gateway {

struct TrafficLimits {
  std::uint32_t connections = 0;       // 0: no limit
  std::uint64_t bytes_per_second = 0;  // 0: no limit
};

class TenantTraffic {
 public:
  void set_limits(const TrafficLimits& limits);
  void set_app(std::uint32_t app, TrafficShare share);
  void remove_app(std::uint32_t app);
  [[nodiscard]] bool has_apps() const { return !shares_.empty(); }

  // One more connection is the tenant's, or none more may be.
  [[nodiscard]] bool enter();
  // REQUIRES: it has entered.
  void leave();
  // Of this gateway.
  [[nodiscard]] std::uint32_t connections() const { return connections_; }

  [[nodiscard]] bool limits_bytes() const { return limits_.bytes_per_second != 0; }
  // How many bytes may be sent now.  A second's worth at most is saved up.  REQUIRES: limits_bytes().
  [[nodiscard]] std::uint64_t available(Instant now);
  // So many were sent.
  void take(std::uint64_t bytes);
  // When so many will be available, if nobody sends any.  REQUIRES: available() has been asked before.
  [[nodiscard]] Instant available_at(std::uint64_t bytes) const;
  // Bytes that the bucket brings in `time`.
  [[nodiscard]] std::uint64_t share_of(Duration time) const;

 private:
  [[nodiscard]] proto::TrafficCell* home() const;
  void publish() const;
  [[nodiscard]] std::uint64_t sent_by_all() const;
  // The rows change: what was sent until now has left the bucket, and counting goes on from the new sum.
  template <typename Change>
  void rebase(Change change);

  TrafficLimits limits_;
  std::map<std::uint32_t, TrafficShare> shares_;  // by app; the first one's row is the home of our counts
  std::uint32_t connections_ = 0;
  SharedBucket bucket_;  // of bytes
};

}  // namespace rowhouse::gateway
