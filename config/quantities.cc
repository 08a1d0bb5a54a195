#include "config/quantities.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "config/diagnostics.h"

namespace rowhouse::config {
namespace {

struct Unit {
  std::string_view suffix;
  std::uint64_t factor;
};

// From large to small, so that formatting takes the first that divides.
constexpr std::array<Unit, 4> kSizeUnits = {
    {{"T", kTebibyte}, {"G", kGibibyte}, {"M", kMebibyte}, {"K", kKibibyte}}};
constexpr std::array<Unit, 4> kDurationUnits = {{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 1> kPercentUnits = {{{"%", 1}}};

std::optional<std::uint64_t> parse_digits(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The number with its unit, or nothing when the form is wrong or the value does not fit 64 bits.
std::optional<std::uint64_t> parse_units(std::string_view text, std::span<const Unit> units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_digits(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits) != unit.suffix) continue;
    if (*number > UINT64_MAX / unit.factor) return std::nullopt;
    return *number * unit.factor;
  }
  return std::nullopt;
}

std::string format_units(std::uint64_t value, std::span<const Unit> units, std::string_view bare) {
  for (const Unit& unit : units) {
    if (value >= unit.factor && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.suffix);
    }
  }
  return std::to_string(value) + std::string(bare);
}

std::string format_percent(std::uint64_t percent) {
  return std::to_string(percent) + "%";
}
std::string format_whole(std::uint64_t value) {
  return std::to_string(value);
}

using Format = std::string (*)(std::uint64_t);

Parsed<std::uint64_t> check(std::optional<std::uint64_t> value, std::string_view text, Range range,
                            std::string_view noun, Format format) {
  if (value && *value >= range.min && *value <= range.max) return *value;
  return Problem{"must be " + std::string(noun) + " from " + format(range.min) + " to " + format(range.max) +
                 ", not " + quote(text)};
}

}  // namespace

Parsed<std::uint64_t> parse_whole(std::string_view text, Range range) {
  return check(parse_digits(text), text, range, "a whole number", format_whole);
}

Parsed<std::uint64_t> parse_size(std::string_view text, Range bytes) {
  return check(parse_units(text, kSizeUnits), text, bytes, "a size with a unit (K, M, G, T)", format_size);
}

Parsed<std::uint64_t> parse_duration(std::string_view text, Range milliseconds) {
  return check(parse_units(text, kDurationUnits), text, milliseconds, "a duration with a unit (ms, s, m, h)",
               format_duration);
}

Parsed<std::uint64_t> parse_percent(std::string_view text, Range percent) {
  return check(parse_units(text, kPercentUnits), text, percent, "a percentage", format_percent);
}

Parsed<std::uint64_t> parse_rate(std::string_view text, Range per_second) {
  const Problem problem{"must be requests of each second, such as \"50/s\", from " + std::to_string(per_second.min) +
                        "/s to " + std::to_string(per_second.max) + "/s, not " + quote(text)};
  if (!text.ends_with("/s")) return problem;
  const Parsed<std::uint64_t> number = parse_whole(text.substr(0, text.size() - 2), per_second);
  return number.ok() ? number : Parsed<std::uint64_t>(problem);
}

std::string format_size(std::uint64_t bytes) {
  return format_units(bytes, kSizeUnits, "");
}
std::string format_duration(std::uint64_t milliseconds) {
  return format_units(milliseconds, kDurationUnits, "ms");
}

}  // namespace rowhouse::config
