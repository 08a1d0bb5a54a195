// The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): what a balancer in front says of a
// connection before its first byte.  Only listeners that ask for it read it, and only from trusted addresses;
// everywhere else such bytes are a malformed request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "gateway/trusted_proxies.h"

namespace rowhouse::gateway {

// Version 1 has at most 107 bytes; of version 2 we take what addresses and a few extensions need.
inline constexpr std::size_t kMaxProxyHeaderBytes = 16 + 1024;

struct ProxyHeader {
  std::size_t bytes = 0;               // of the input that it took
  std::optional<AddressBytes> client;  // nothing: LOCAL, UNKNOWN or no address of IP: the connection's own
  std::uint16_t port = 0;
};
struct ProxyHeaderIncomplete {};
struct ProxyHeaderMalformed {};

// `input` begins where the connection begins.  The verdict does not depend on how the input was split.
[[nodiscard]] std::variant<ProxyHeader, ProxyHeaderIncomplete, ProxyHeaderMalformed> parse_proxy_header(
    std::string_view input);

}  // namespace rowhouse::gateway
