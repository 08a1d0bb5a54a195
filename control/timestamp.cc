#include "control/timestamp.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace rowhouse::control {
namespace {

constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

// Seconds, rounded down also before 1970, and the milliseconds that are left.
std::tm split_time(std::int64_t wall_ms, int& milliseconds) {
  milliseconds = static_cast<int>(((wall_ms % 1000) + 1000) % 1000);
  const std::time_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0);
  std::tm utc{};
  // Years that a tm cannot hold come out as 1900.
  if (gmtime_r(&seconds, &utc) == nullptr) utc = std::tm{.tm_mday = 1};
  return utc;
}

template <typename... Arguments>
std::string print(const char* format, Arguments... arguments) {
  std::array<char, 96> text{};
  const int size = std::snprintf(text.data(), text.size(), format, arguments...);
  return std::string(text.data(), static_cast<std::size_t>(size));
}

}  // namespace

std::string format_rfc3339(std::int64_t wall_ms) {
  int milliseconds = 0;
  const std::tm utc = split_time(wall_ms, milliseconds);
  return print("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
               utc.tm_hour, utc.tm_min, utc.tm_sec, milliseconds);
}

std::string format_combined_time(std::int64_t wall_ms) {
  int milliseconds = 0;
  const std::tm utc = split_time(wall_ms, milliseconds);
  const std::string month(kMonths.substr(static_cast<std::size_t>(utc.tm_mon) * 3, 3));
  return print("%02d/%s/%04d:%02d:%02d:%02d +0000", utc.tm_mday, month.c_str(), utc.tm_year + 1900,
               utc.tm_hour, utc.tm_min, utc.tm_sec);
}

std::string rfc3339_from_combined(std::string_view text) {
  const std::string head(text.substr(0, 26));
  std::array<char, 4> month{};
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  const int parsed = std::sscanf(head.c_str(), "%2d/%3[A-Za-z]/%4d:%2d:%2d:%2d", &day, month.data(), &year,
                                 &hour, &minute, &second);
  const std::size_t position = parsed == 6 ? kMonths.find(month.data()) : std::string_view::npos;
  if (position == std::string_view::npos || position % 3 != 0) return {};
  return print("%04d-%02d-%02dT%02d:%02d:%02d.000Z", year, static_cast<int>(position / 3) + 1, day, hour,
               minute, second);
}

}  // namespace rowhouse::control
