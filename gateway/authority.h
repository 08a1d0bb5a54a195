// "host[:port]", as in Host and in absolute targets (RFC 9110 4.2, 7.2), in a form that nobody reads
// differently.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::gateway {

struct Authority {
  std::string_view host;  // as received, without the final dot; an IPv6 address keeps its brackets
  std::string_view port;  // "" when there is none; else at most 65535
};

// A name of letters, digits, "-" and "_" in labels of at most 63 bytes, at most 253 together; or an IPv6
// address in brackets.  Nothing for anything else, user information and an empty port included.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

// True when both name the same host and port; no port is port 80.
[[nodiscard]] bool is_same_authority(const Authority& a, const Authority& b);

// The host of `text` in lower case into `out`; false when malformed, with `out` unspecified.
[[nodiscard]] bool host_of_authority(std::string_view text, std::string& out);

}  // namespace rowhouse::gateway
