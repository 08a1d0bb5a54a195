// Hosts, routes, static prefixes and listening addresses.  Pure.
#pragma once

#include <string>
#include <string_view>

#include "config/parsed.h"
#include "proto/loader_messages.h"

namespace rowhouse::config {

// A host name of lower-case letter-digit-hyphen labels (RFC 1123 2.1), optionally with "*." first; without a
// final dot, at most 253 bytes.  International names are written in their xn-- form (RFC 5890).
[[nodiscard]] Parsed<std::string> parse_host(std::string_view text);

// A host as an entry of `domains`: the wildcard is taken apart.
[[nodiscard]] Parsed<proto::DomainRecord> parse_domain(std::string_view text);

// "host" or "host/path"; one slash at the end of the path is dropped.
[[nodiscard]] Parsed<proto::RouteRecord> parse_route(std::string_view text);

// "/static/": begins and ends with a slash and names at least one segment.
// "/healthz": a path as a route has one, and "/".
[[nodiscard]] Parsed<std::string> parse_health_path(std::string_view text);
[[nodiscard]] Parsed<proto::Prefix> parse_static_prefix(std::string_view text);

// "192.0.2.0/24", "2001:db8::1", or "unix" for whoever comes over a UNIX socket.
[[nodiscard]] Parsed<proto::TrustedProxyRecord> parse_trusted_proxy(std::string_view text);

// "192.0.2.1:80", "[2001:db8::1]:80" or "unix:/run/site.sock".
[[nodiscard]] Parsed<proto::ListenRecord> parse_listen_address(std::string_view text);

}  // namespace rowhouse::config
