// Times as people and programs read them, always UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rowhouse::control {

// "2026-01-31T23:59:59.042Z" (RFC 3339) from milliseconds since 1970-01-01T00:00:00Z.
[[nodiscard]] std::string format_rfc3339(std::int64_t wall_ms);

// "31/Jan/2026:23:59:59 +0000": the time of the combined log format.
[[nodiscard]] std::string format_combined_time(std::int64_t wall_ms);

// The RFC 3339 form of the combined time at the front of `text`; empty when there is none.
[[nodiscard]] std::string rfc3339_from_combined(std::string_view text);

}  // namespace rowhouse::control
