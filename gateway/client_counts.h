// How many connections come from where, so that one client cannot take every place of a gateway (THREATS
// X15). What counts as one client: an IPv4 address, a /64 of IPv6, and all of this host together, whose
// programs can have any address of 127.0.0.0/8.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "base/clock.h"
#include "gateway/trusted_proxies.h"

namespace rowhouse::gateway {

// The number of the client at `address`, as above; 0 for this host, also over a UNIX socket.
[[nodiscard]] std::uint64_t client_number(const sockaddr& address);

[[nodiscard]] std::uint64_t client_number(const AddressBytes& address);

class ClientCounts {
 public:
  // `limit`: connections of one client; at least 1.
  explicit ClientCounts(std::size_t limit) : limit_(limit) {}

  // Counts one more connection, or refuses it at the limit.
  [[nodiscard]] bool enter(std::uint64_t client);
  // REQUIRES: it has entered.
  void leave(std::uint64_t client);
  [[nodiscard]] std::size_t limit() const { return limit_; }

 private:
  std::size_t limit_;
  std::map<std::uint64_t, std::size_t> counts_;  // as many entries as there are connections, at most
};

// Clients that send again and again what is no HTTP get no connections for a while (HTTP H50).  This host
// itself has no penalties: a proxy on it speaks for everybody.
class ClientPenalties {
 public:
  static constexpr std::uint32_t kMaxFaults = 30;  // within kFaultTime
  static constexpr Duration kFaultTime = std::chrono::seconds(60);
  static constexpr Duration kPenaltyTime = std::chrono::seconds(60);
  static constexpr std::size_t kMaxClients = 65'536;  // remembered; beyond it the oldest fault is forgotten

  void note_fault(std::uint64_t client, Instant now);
  [[nodiscard]] bool is_barred(std::uint64_t client, Instant now) const;

 private:
  struct Record {
    std::uint32_t faults = 0;
    Instant first_at{};
    std::optional<Instant> barred_until;
  };
  std::map<std::uint64_t, Record> records_;
  std::deque<std::uint64_t> order_;  // of the first fault
};

}  // namespace rowhouse::gateway
