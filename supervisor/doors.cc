#include "supervisor/doors.h"

#include <algorithm>

namespace rowhouse::supervisor {
namespace {

using proto::ListenRecord;

const ListenRecord* find_address(const std::vector<ListenRecord>& listen, const ListenRecord& address) {
  const auto found =
      std::find_if(listen.begin(), listen.end(), [&](const auto& known) { return same_address(known, address); });
  return found == listen.end() ? nullptr : &*found;
}

}  // namespace

bool same_address(const ListenRecord& a, const ListenRecord& b) {
  return a.ipv6 == b.ipv6 && a.address == b.address && a.port == b.port && a.path == b.path;
}

bool same_doors(const std::vector<ListenRecord>& a, const std::vector<ListenRecord>& b) {
  return std::is_permutation(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    return same_address(one, other) && one.proxy_protocol == other.proxy_protocol;
  });
}

std::vector<ListenRecord> missing_doors(const std::vector<Door>& doors, const std::vector<ListenRecord>& wanted) {
  std::vector<ListenRecord> missing;
  const std::vector<ListenRecord> there = listen_of(doors);
  for (const ListenRecord& listen : wanted) {
    if (find_address(there, listen) == nullptr) missing.push_back(listen);
  }
  return missing;
}

std::vector<Door> take_unwanted(std::vector<Door>& doors, const std::vector<ListenRecord>& wanted) {
  std::vector<Door> kept, gone;
  for (Door& door : doors) {
    const ListenRecord* const listen = find_address(wanted, door.listen);
    if (listen != nullptr) door.listen = *listen;
    (listen != nullptr ? kept : gone).push_back(std::move(door));
  }
  doors = std::move(kept);
  return gone;
}

std::vector<ListenRecord> listen_of(const std::vector<Door>& doors) {
  std::vector<ListenRecord> records;
  for (const Door& door : doors) records.push_back(door.listen);
  return records;
}

std::uint32_t next_number(const std::vector<Door>& doors) {
  std::uint32_t next = 0;
  for (const Door& door : doors) next = std::max(next, door.number + 1);
  return next;
}

}  // namespace rowhouse::supervisor
