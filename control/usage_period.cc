#include "control/usage_period.h"

#include <charconv>
#include <chrono>

#include "control/bill.h"

namespace rowhouse::control {
namespace {

// Years that a bill can have.
constexpr int kFirstYear = 1970, kLastYear = 9999;
constexpr std::int64_t kMaxLast = 10'000;

// All of `text` as a number of exactly `digits` digits; 0 digits: as many as it has.
std::optional<int> number_of(std::string_view text, std::size_t digits) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc{} && end == text.data() + text.size() && text.find('-') != 0;
  return whole && (digits == 0 || text.size() == digits) ? std::optional(number) : std::nullopt;
}

std::optional<std::chrono::year_month> month_of(std::string_view text) {
  if (text.size() != 7 || text[4] != '-') return std::nullopt;
  const auto year = number_of(text.substr(0, 4), 4), month = number_of(text.substr(5), 2);
  if (!year || !month || *year < kFirstYear || *year > kLastYear) return std::nullopt;
  const std::chrono::year_month found{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month))};
  return found.ok() ? std::optional(found) : std::nullopt;
}

std::int64_t seconds_of(std::chrono::sys_days day) {
  return std::chrono::duration_cast<std::chrono::seconds>(day.time_since_epoch()).count();
}

std::optional<std::int64_t> day_of(std::string_view text) {
  if (text.size() != 10 || text[7] != '-') return std::nullopt;
  const auto month = month_of(text.substr(0, 7));
  const auto day = number_of(text.substr(8), 2);
  if (!month || !day) return std::nullopt;
  const std::chrono::year_month_day found = *month / std::chrono::day(static_cast<unsigned>(*day));
  return found.ok() ? std::optional(seconds_of(std::chrono::sys_days(found))) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> parse_hour(std::string_view text) {
  const auto day = day_of(text.substr(0, 10));
  if (!day || text.size() == 10) return day;
  if (text.size() != 20 || text[10] != 'T' || text.substr(13) != ":00:00Z") return std::nullopt;
  const auto hour = number_of(text.substr(11, 2), 2);
  return hour && *hour < 24 ? std::optional(*day + *hour * kHourSeconds) : std::nullopt;
}

std::optional<UsagePeriod> parse_period(std::string_view text, std::int64_t now_s) {
  if (const auto month = month_of(text)) {
    const auto first = *month / std::chrono::day(1), next = (*month + std::chrono::months(1)) / std::chrono::day(1);
    return UsagePeriod{seconds_of(std::chrono::sys_days(first)), seconds_of(std::chrono::sys_days(next))};
  }
  if (const auto day = day_of(text)) return UsagePeriod{*day, *day + kDaySeconds};
  if (text.empty() || (text.back() != 'h' && text.back() != 'd')) return std::nullopt;
  const auto count = number_of(text.substr(0, text.size() - 1), 0);
  if (!count || *count < 1 || *count > kMaxLast) return std::nullopt;
  const std::int64_t end = (now_s / kHourSeconds + 1) * kHourSeconds;
  return UsagePeriod{end - *count * (text.back() == 'h' ? kHourSeconds : kDaySeconds), end};
}

}  // namespace rowhouse::control
