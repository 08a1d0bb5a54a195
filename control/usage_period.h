// Periods of usage, half open and on full hours of UTC: a bill of one ends where the next begins.  Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rowhouse::control {

// In seconds since 1970-01-01T00:00:00Z.
struct UsagePeriod {
  std::int64_t from_s = 0, to_s = 0;
  bool operator==(const UsagePeriod&) const = default;
};

// "2026-10": a month; "2026-10-05": a day; "24h", "30d": so many last hours or days, the present hour included.
[[nodiscard]] std::optional<UsagePeriod> parse_period(std::string_view text, std::int64_t now_s);
// "2026-10-05" or "2026-10-05T13:00:00Z".
[[nodiscard]] std::optional<std::int64_t> parse_hour(std::string_view text);

}  // namespace rowhouse::control
