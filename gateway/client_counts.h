// How many connections come from where, so that one client cannot take every place of a gateway (THREATS
// X15). What counts as one client: an IPv4 address, a /64 of IPv6, and all of this host together, whose
// programs can have any address of 127.0.0.0/8.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <map>

namespace rowhouse::gateway {

// The number of the client at `address`, as above; 0 for this host, also over a UNIX socket.
[[nodiscard]] std::uint64_t client_number(const sockaddr& address);

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

}  // namespace rowhouse::gateway
