#include "gateway/trusted_proxies.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kMappedBits = 96;
constexpr std::size_t kMostHops = 32;

AddressBytes mapped(const std::uint8_t* four) {
  AddressBytes bytes{};
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
  std::copy_n(four, 4, bytes.begin() + 12);
  return bytes;
}

bool has_prefix(const AddressBytes& address, const AddressBytes& prefix, unsigned bits) {
  for (unsigned i = 0; i < bits; ++i) {
    const unsigned mask = 0x80U >> (i % 8);
    if (((address[i / 8] ^ prefix[i / 8]) & mask) != 0) return false;
  }
  return true;
}

// The node of RFC 7239 6: an address with or without a port, in quotes when it is IPv6.
std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

std::optional<AddressBytes> parse_node(std::string_view node) {
  if (node.starts_with('[')) return parse_address(node.substr(1, node.find(']') - 1));
  const std::size_t colon = node.find(':');
  const bool has_port =
      colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  return parse_address(has_port ? node.substr(0, colon) : node);
}

// One hop, as the proxy on its right saw it.
struct Hop {
  std::string_view node;
  std::string_view scheme;
};

// The last hops of all fields, in order; those before them say nothing that counts.
class Hops {
 public:
  void add(Hop hop) {
    if (count_ == hops_.size()) {
      std::rotate(hops_.begin(), hops_.begin() + 1, hops_.end());
      --count_;
    }
    hops_[count_++] = hop;
  }
  [[nodiscard]] std::span<const Hop> all() const { return {hops_.data(), count_}; }

 private:
  std::array<Hop, kMostHops> hops_;
  std::size_t count_ = 0;
};

Hop parse_forwarded_element(std::string_view element) {
  Hop hop;
  while (!element.empty()) {
    const std::size_t end = std::min(element.find(';'), element.size());
    const std::string_view pair = trim_blanks(element.substr(0, end));
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view() : unquoted(pair.substr(equals + 1));
    if (equals_lower(name, "for")) hop.node = value;
    if (equals_lower(name, "proto")) hop.scheme = value;
    element.remove_prefix(std::min(end + 1, element.size()));
  }
  return hop;
}

Hops collect(std::span<const HeadField> fields, ForwardedBy by) {
  Hops hops;
  const std::string_view name = by == ForwardedBy::kXForwarded ? "x-forwarded-for" : "forwarded";
  for (const HeadField& field : fields) {
    if (!equals_lower(field.name, name)) continue;
    for_each_element(field.value, [&](std::string_view element) {
      hops.add(by == ForwardedBy::kXForwarded ? Hop{element, {}} : parse_forwarded_element(element));
    });
  }
  return hops;
}

// What the nearest proxy says, whatever came to it from others.
std::string_view x_forwarded_scheme(std::span<const HeadField> fields) {
  std::string_view scheme;
  for (const HeadField& field : fields) {
    if (!equals_lower(field.name, "x-forwarded-proto")) continue;
    for_each_element(field.value, [&](std::string_view element) { scheme = element; });
  }
  return scheme;
}

}  // namespace

std::optional<AddressBytes> address_bytes(const sockaddr& address) {
  AddressBytes bytes{};
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return mapped(reinterpret_cast<const std::uint8_t*>(&in.sin_addr));
  }
  if (address.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 in6{};
  std::memcpy(&in6, &address, sizeof in6);
  std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
  return bytes;
}

std::optional<AddressBytes> parse_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> room{};
  if (text.empty() || text.size() >= room.size() || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  std::copy(text.begin(), text.end(), room.begin());
  std::uint8_t four[4];
  if (::inet_pton(AF_INET, room.data(), four) == 1) return mapped(four);
  AddressBytes bytes{};
  if (::inet_pton(AF_INET6, room.data(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

std::string address_text(const AddressBytes& address) {
  char text[INET6_ADDRSTRLEN];
  const bool four = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
  const char* written =
      ::inet_ntop(four ? AF_INET : AF_INET6, address.data() + (four ? 12 : 0), text, sizeof text);
  return written != nullptr ? written : "";
}

void TrustedProxies::add(const proto::TrustedProxy& proxy) {
  if (proxy.local) {
    local_ = true;
  } else if (proxy.ipv6) {
    networks_.push_back({proxy.address, std::min<unsigned>(proxy.bits, 128)});
  } else {
    networks_.push_back({mapped(proxy.address.data()), kMappedBits + std::min<unsigned>(proxy.bits, 32)});
  }
}

bool TrustedProxies::trusts(const AddressBytes& address) const {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const Network& known) { return has_prefix(address, known.address, known.bits); });
}

Origin read_origin(std::span<const HeadField> fields, ForwardedBy by, const TrustedProxies& proxies) {
  const Hops hops = collect(fields, by);
  Origin origin;
  for (std::size_t i = hops.all().size(); i-- > 0;) {
    const auto address = parse_node(hops.all()[i].node);
    if (!address) break;
    origin.client = address;
    if (!proxies.trusts(*address)) break;
  }
  const std::string_view nearest = hops.all().empty() ? std::string_view() : hops.all().back().scheme;
  origin.https = equals_lower(by == ForwardedBy::kXForwarded ? x_forwarded_scheme(fields) : nearest, "https");
  return origin;
}

}  // namespace rowhouse::gateway
