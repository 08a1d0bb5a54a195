#include "gateway/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/http_bytes.h"
#include "proto/limits.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kMaxLabelBytes = 63;  // RFC 1035 2.3.4
constexpr unsigned kMaxPort = 65535;

constexpr ByteTable kLabelBytes = byte_table([](unsigned char byte) {
  return is_alphanumeric(static_cast<char>(byte)) || byte == '-' || byte == '_';
});

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= kMaxPort;
}

bool is_name(std::string_view text) {
  if (text.size() > proto::kMaxHostBytes) return false;
  while (true) {
    const std::size_t label = count_leading(kLabelBytes, text);
    if (label == 0 || label > kMaxLabelBytes) return false;
    if (label == text.size()) return true;
    if (text[label] != '.') return false;
    text.remove_prefix(label + 1);
  }
}

// `text` begins with "[" and ends with "]".
bool is_bracketed_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> address{};
  const std::string_view inside = text.substr(1, text.size() - 2);
  if (inside.size() >= address.size()) return false;
  std::copy(inside.begin(), inside.end(), address.begin());
  in6_addr parsed;
  // An embedded NUL would end the text for inet_pton early.
  return inside.find('\0') == std::string_view::npos && ::inet_pton(AF_INET6, address.data(), &parsed) == 1;
}

std::optional<Authority> parse_ipv6_authority(std::string_view text) {
  const std::size_t end = text.find(']');
  if (end == std::string_view::npos || !is_bracketed_ipv6(text.substr(0, end + 1))) return std::nullopt;
  Authority authority{text.substr(0, end + 1), {}};
  const std::string_view rest = text.substr(end + 1);
  if (rest.empty()) return authority;
  authority.port = rest.substr(1);
  if (rest.front() != ':' || !is_port(authority.port)) return std::nullopt;
  return authority;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  if (text.starts_with('[')) return parse_ipv6_authority(text);
  const std::size_t colon = text.find(':');
  Authority authority{text.substr(0, colon), {}};
  if (authority.host.ends_with('.')) authority.host.remove_suffix(1);
  if (!is_name(authority.host)) return std::nullopt;
  if (colon == std::string_view::npos) return authority;
  authority.port = text.substr(colon + 1);
  if (!is_port(authority.port)) return std::nullopt;
  return authority;
}

bool is_same_authority(const Authority& a, const Authority& b) {
  const auto port_of = [](const Authority& authority) {
    const std::string_view port = authority.port.empty() ? "80" : authority.port;
    return port.substr(std::min(port.find_first_not_of('0'), port.size()));
  };
  const auto is_same_letter = [](char x, char y) { return to_lower(x) == to_lower(y); };
  return std::equal(a.host.begin(), a.host.end(), b.host.begin(), b.host.end(), is_same_letter) &&
         port_of(a) == port_of(b);
}

bool host_of_authority(std::string_view text, std::string& out) {
  const std::optional<Authority> authority = parse_authority(text);
  if (!authority) return false;
  out.resize(authority->host.size());
  std::transform(authority->host.begin(), authority->host.end(), out.begin(), to_lower);
  return true;
}

}  // namespace rowhouse::gateway
