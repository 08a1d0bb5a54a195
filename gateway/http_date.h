// Dates of HTTP (RFC 9110 5.6.7), without locale and time zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::gateway {

inline constexpr std::size_t kHttpDateBytes = 29;

// Appends "Sun, 06 Nov 1994 08:49:37 GMT".  Times outside the years 1970 to 9999 are moved to their edge.
void append_http_date(std::string& out, std::int64_t seconds);

// Seconds since 1970-01-01T00:00:00Z of a date in any of the three forms that a recipient must accept;
// `now_s` decides the century of the form with two digits.  Nothing for anything else.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now_s);

}  // namespace rowhouse::gateway
