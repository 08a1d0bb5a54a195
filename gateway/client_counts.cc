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

std::uint64_t client_number(const AddressBytes& address) {
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  std::memcpy(&in6.sin6_addr, address.data(), address.size());
  sockaddr_storage storage{};
  std::memcpy(&storage, &in6, sizeof in6);
  return client_number(reinterpret_cast<const sockaddr&>(storage));
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

void ClientPenalties::note_fault(std::uint64_t client, Instant now) {
  if (client == 0) return;
  const auto [place, is_new] = records_.try_emplace(client);
  Record& record = place->second;
  if (is_new) order_.push_back(client);
  if (is_new || now - record.first_at > kFaultTime) record = {0, now, record.barred_until};
  if (++record.faults >= kMaxFaults) {
    record.barred_until = now + kPenaltyTime;
    record.faults = 0;
    record.first_at = now;
  }
  if (records_.size() <= kMaxClients) return;
  records_.erase(order_.front());
  order_.pop_front();
}

bool ClientPenalties::is_barred(std::uint64_t client, Instant now) const {
  const auto found = records_.find(client);
  return found != records_.end() && found->second.barred_until && now < *found->second.barred_until;
}

}  // namespace rowhouse::gateway
