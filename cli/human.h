// Numbers and times for eyes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::cli {

// "0", "512", "64.0K", "212M", "1.5G": at most four characters and a unit.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

// "450ms", "28s", "5m", "2h", "3d".
[[nodiscard]] std::string format_duration_ms(std::int64_t ms);

// Milliseconds since 1970 of "2026-01-31T23:59:59.042Z"; nothing when the text is no such time.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

}  // namespace rowhouse::cli
