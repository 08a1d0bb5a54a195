#include "gateway/client_counts.h"

#include <netinet/in.h>

#include <cstring>

namespace rowhouse::gateway {
namespace {

constexpr std::uint32_t kLoopbackNet = 127;

std::uint64_t number_of(in_addr address) {
  const std::uint32_t value = ntohl(address.s_addr);
  return value >> 24 == kLoopbackNet ? 0 : value;
}

}  // namespace

std::uint64_t client_number(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return number_of(in.sin_addr);
  }
  if (address.sa_family != AF_INET6) return 0;
  sockaddr_in6 in6{};
  std::memcpy(&in6, &address, sizeof in6);
  const std::uint8_t* bytes = in6.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    in_addr in{};
    std::memcpy(&in, bytes + 12, sizeof in);
    return number_of(in);
  }
  std::uint64_t prefix = 0;  // of ::1 it is 0, and no other address in use has one below 2^32
  for (int i = 0; i < 8; ++i) prefix = prefix << 8 | bytes[i];
  return prefix;
}

bool ClientCounts::enter(std::uint64_t client) {
  std::size_t& count = counts_[client];
  if (count >= limit_) return false;
  ++count;
  return true;
}

void ClientCounts::leave(std::uint64_t client) {
  const auto found = counts_.find(client);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

}  // namespace rowhouse::gateway
