// Numbers with and without units, as configuration files write them.  Pure; every parser takes all of its
// text or fails, and says the allowed range in its problem.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/parsed.h"

namespace rowhouse::config {

// Both ends are allowed values.
struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = 0;
};

inline constexpr std::uint64_t kKibibyte = 1024;
inline constexpr std::uint64_t kMebibyte = 1024 * kKibibyte;
inline constexpr std::uint64_t kGibibyte = 1024 * kMebibyte;
inline constexpr std::uint64_t kTebibyte = 1024 * kGibibyte;

// "12": decimal digits, no sign, no leading zero.
[[nodiscard]] Parsed<std::uint64_t> parse_whole(std::string_view text, Range range);
// "64K" "256M" "1G" "2T" in bytes; the units are powers of 1024 and required.
[[nodiscard]] Parsed<std::uint64_t> parse_size(std::string_view text, Range bytes);
// "500ms" "15s" "10m" "1h" in milliseconds.
[[nodiscard]] Parsed<std::uint64_t> parse_duration(std::string_view text, Range milliseconds);
// "50%".
[[nodiscard]] Parsed<std::uint64_t> parse_percent(std::string_view text, Range percent);

// "50/s": so many in each second.
[[nodiscard]] Parsed<std::uint64_t> parse_rate(std::string_view text, Range per_second);

// The shortest exact spelling: "64K", "1500ms".
[[nodiscard]] std::string format_size(std::uint64_t bytes);
[[nodiscard]] std::string format_duration(std::uint64_t milliseconds);

}  // namespace rowhouse::config
