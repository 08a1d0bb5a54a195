#include "config/addresses.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>

#include "config/characters.h"
#include "config/diagnostics.h"
#include "config/paths.h"
#include "config/quantities.h"

namespace rowhouse::config {
namespace {

constexpr std::size_t kMaxSocketPathBytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t kMaxLabelBytes = 63;  // RFC 1035 2.3.4

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelBytes && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool are_labels(std::string_view name) {
  for (;;) {
    const std::size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// The most helpful thing to say about a host that is not one.
std::string host_problem(std::string_view text) {
  const std::string shown = ", not " + quote(text);
  if (!is_ascii(text)) return "must have international names in their xn-- form" + shown;
  if (std::any_of(text.begin(), text.end(), is_upper)) return "must have hosts in lower case" + shown;
  if (text.find("://") != std::string_view::npos) return "must have hosts without \"http://\"" + shown;
  if (text.find(':') != std::string_view::npos) return "must have hosts without a port" + shown;
  if (text.ends_with('.')) return "must have hosts without a dot at the end" + shown;
  if (text.find('*') != std::string_view::npos) {
    return "may have \"*\" only as the whole first label of a host (\"*.acme.example\")" + shown;
  }
  if (text.size() > proto::kMaxHostBytes) return "must have hosts of at most 253 characters" + shown;
  return "must have hosts of labels a-z, 0-9 and \"-\", joined by dots" + shown;
}

bool is_segment_character(char c) {
  static constexpr std::string_view kMarks = "-._~!$&'()*+,;=:@";  // RFC 3986 3.3 pchar, without escapes
  return is_lower(c) || is_upper(c) || is_digit(c) || kMarks.find(c) != std::string_view::npos;
}

// What is wrong with the path; empty when nothing is.  `path` is "" or begins with a slash and does not end
// with one.
std::string path_problem(std::string_view path) {
  if (path.size() + 1 > proto::kMaxPrefixBytes) return "must have paths of at most 254 characters";
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    if (segment.empty()) return "must have paths without empty segments (\"//\")";
    if (segment == "." || segment == "..") return "must have paths without \".\" and \"..\"";
    if (segment.find('%') != std::string_view::npos) return "must have paths that are not percent-encoded";
    if (!std::all_of(segment.begin(), segment.end(), is_segment_character)) {
      return "must have paths of letters, digits and -._~!$&'()*+,;=:@";
    }
    path.remove_prefix(segment.size());
  }
  return "";
}

Parsed<proto::ListenRecord> parse_unix_address(std::string_view text) {
  const Parsed<std::string> path = parse_absolute_path(text);
  if (!path.ok() || path.value().size() > kMaxSocketPathBytes) {
    return Problem{"must have behind \"unix:\" an absolute path of at most 107 bytes, not " + quote(text)};
  }
  proto::ListenRecord listen;
  listen.path = proto::Path::cut(path.value());
  return listen;
}

}  // namespace

Parsed<std::string> parse_host(std::string_view text) {
  const std::string_view name = text.starts_with("*.") ? text.substr(2) : text;
  if (text.size() <= proto::kMaxHostBytes && are_labels(name)) return std::string(text);
  return Problem{host_problem(text)};
}

Parsed<proto::DomainRecord> parse_domain(std::string_view text) {
  const Parsed<std::string> host = parse_host(text);
  if (!host.ok()) return Problem{host.problem()};
  proto::DomainRecord domain;
  domain.wildcard = text.starts_with("*.");
  domain.host = proto::Host::cut(domain.wildcard ? text.substr(2) : text);
  return domain;
}

Parsed<proto::RouteRecord> parse_route(std::string_view text) {
  if (text.find("://") != std::string_view::npos) {
    return Problem{"must have routes such as \"acme.example/blog\", without \"http://\", not " + quote(text)};
  }
  const std::size_t slash = std::min(text.find('/'), text.size());
  const Parsed<std::string> host = parse_host(text.substr(0, slash));
  if (!host.ok()) return Problem{host.problem()};
  std::string_view path = text.substr(slash);
  if (path.ends_with('/')) path.remove_suffix(1);
  const std::string problem = path_problem(path);
  if (!problem.empty()) return Problem{problem + ", not " + quote(text)};
  proto::RouteRecord route;
  route.host = proto::Host::cut(host.value());
  route.prefix = proto::Prefix::cut(path);
  return route;
}

Parsed<proto::Prefix> parse_static_prefix(std::string_view text) {
  if (text.size() < 3 || !text.starts_with('/') || !text.ends_with('/')) {
    return Problem{"must have prefixes that begin and end with a slash, such as \"/static/\", not " +
                   quote(text)};
  }
  const std::string problem = path_problem(text.substr(0, text.size() - 1));
  if (!problem.empty()) return Problem{problem + ", not " + quote(text)};
  return proto::Prefix::cut(text);
}

Parsed<std::string> parse_health_path(std::string_view text) {
  if (!text.starts_with('/')) return Problem{"must be a path such as \"/healthz\", not " + quote(text)};
  const std::string_view path = text.ends_with('/') ? text.substr(0, text.size() - 1) : text;
  const std::string problem = path_problem(path);
  if (!problem.empty()) return Problem{problem + ", not " + quote(text)};
  return std::string(text);
}

Parsed<proto::TrustedProxyRecord> parse_trusted_proxy(std::string_view text) {
  const Problem problem{"must be IP addresses or networks such as \"192.0.2.7\" or \"2001:db8::/32\", or \"unix\", not " +
                        quote(text)};
  proto::TrustedProxyRecord proxy;
  proxy.local = text == "unix";
  if (proxy.local) return proxy;
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  proxy.ipv6 = address.find(':') != std::string::npos;
  if (::inet_pton(proxy.ipv6 ? AF_INET6 : AF_INET, address.c_str(), proxy.address.data()) != 1) return problem;
  proxy.bits = proxy.ipv6 ? 128 : 32;
  if (slash == std::string_view::npos) return proxy;
  const Parsed<std::uint64_t> bits = parse_whole(text.substr(slash + 1), {0, proxy.bits});
  if (!bits.ok()) return problem;
  proxy.bits = static_cast<std::uint8_t>(bits.value());
  return proxy;
}

Parsed<proto::ListenRecord> parse_listen_address(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix_address(text.substr(5));
  const Problem problem{
      "must be an IP address and a port from 1 to 65535, such as \"0.0.0.0:80\" or \"[::]:80\", not " +
      quote(text)};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return problem;
  const Parsed<std::uint64_t> port = parse_whole(text.substr(colon + 1), {1, 65535});
  if (!port.ok()) return problem;
  proto::ListenRecord listen;
  listen.port = static_cast<std::uint16_t>(port.value());
  std::string address(text.substr(0, colon));
  listen.ipv6 = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (listen.ipv6) address = address.substr(1, address.size() - 2);
  const int family = listen.ipv6 ? AF_INET6 : AF_INET;
  if (::inet_pton(family, address.c_str(), listen.address.data()) != 1) return problem;
  return listen;
}

}  // namespace rowhouse::config
