// The host's listening sockets and how they change while gateways accept on them.  A door has a number, by which the
// gateways and the keeper's store know it, for as long as its address is listened on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "proto/loader_messages.h"

namespace rowhouse::supervisor {

struct Door {
  std::uint32_t number = 0;
  UniqueFd socket;
  proto::ListenRecord listen;
};

[[nodiscard]] bool same_address(const proto::ListenRecord& a, const proto::ListenRecord& b);

// The same entries in whatever order.
[[nodiscard]] bool same_doors(const std::vector<proto::ListenRecord>& a, const std::vector<proto::ListenRecord>& b);

// The entries of `wanted` at whose address no door is.
[[nodiscard]] std::vector<proto::ListenRecord> missing_doors(const std::vector<Door>& doors,
                                                             const std::vector<proto::ListenRecord>& wanted);

// Takes the doors at whose address nothing is wanted out of `doors`; the others become as wanted.
[[nodiscard]] std::vector<Door> take_unwanted(std::vector<Door>& doors, const std::vector<proto::ListenRecord>& wanted);

// What the doors are, as the host file would say it.
[[nodiscard]] std::vector<proto::ListenRecord> listen_of(const std::vector<Door>& doors);

// Numbers grow, so that one which a gateway still has in mind is not given to another address at once.
[[nodiscard]] std::uint32_t next_number(const std::vector<Door>& doors);

}  // namespace rowhouse::supervisor
