// Whom we believe when it says who its client is, and what it says.  Everybody else's words about that are
// removed as one set (is_dropped_request_field), so nothing of them can reach an app.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/head_rules.h"
#include "proto/gateway_messages.h"

namespace rowhouse::gateway {

// An address as it is compared: IPv4 as the mapped IPv6 address, which is how sockets of both kinds show it.
using AddressBytes = std::array<std::uint8_t, 16>;

[[nodiscard]] std::optional<AddressBytes> address_bytes(const sockaddr& address);
// "192.0.2.1", "2001:db8::1"; without brackets and port.
[[nodiscard]] std::optional<AddressBytes> parse_address(std::string_view text);
[[nodiscard]] std::string address_text(const AddressBytes& address);

class TrustedProxies {
 public:
  void add(const proto::TrustedProxy& proxy);
  [[nodiscard]] bool trusts(const AddressBytes& address) const;
  // Over a UNIX socket.
  [[nodiscard]] bool trusts_local() const { return local_; }

 private:
  struct Network {
    AddressBytes address{};
    unsigned bits = 0;
  };
  std::vector<Network> networks_;
  bool local_ = false;
};

enum class ForwardedBy : std::uint8_t { kXForwarded, kRfc7239 };

// What a trusted proxy says of a request.
struct Origin {
  std::optional<AddressBytes> client;  // nothing: it does not say, or says it in a way that cannot be read
  bool https = false;
};

// Reads the fields of one kind and no other.  From the right: each address that is trusted vouches for the
// one on its left, and the first that is not is the client.
[[nodiscard]] Origin read_origin(std::span<const HeadField> fields, ForwardedBy by,
                                 const TrustedProxies& proxies);

}  // namespace rowhouse::gateway
