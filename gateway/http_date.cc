#include "gateway/http_date.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

using std::chrono::sys_days;

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kLastSecond = 253'402'300'799;  // 9999-12-31T23:59:59Z

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void append_two_digits(std::string& out, std::int64_t value) {
  out.push_back(static_cast<char>('0' + value / 10 % 10));
  out.push_back(static_cast<char>('0' + value % 10));
}

// Takes the parts of a date off the front of a text; after the first that does not fit, ok() is false.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }

  void literal(std::string_view text) {
    ok_ = ok_ && rest_.starts_with(text);
    if (ok_) rest_.remove_prefix(text.size());
  }
  // Exactly `digits` digits.
  int number(std::size_t digits) {
    int value = 0;
    ok_ = ok_ && rest_.size() >= digits;
    for (std::size_t i = 0; ok_ && i < digits; ++i) {
      ok_ = is_digit(rest_[i]);
      value = value * 10 + (rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(digits);
    return ok_ ? value : 0;
  }
  // The day of asctime's form, where a blank may stand for the first digit.
  int padded_day() {
    if (!rest_.starts_with(' ')) return number(2);
    rest_.remove_prefix(1);
    return number(1);
  }
  // The index of the word at the front, of which `letters` letters are written (0: all).
  template <std::size_t N>
  unsigned word(const std::array<std::string_view, N>& words, std::size_t letters) {
    for (unsigned i = 0; ok_ && i < N; ++i) {
      const std::string_view written = letters == 0 ? words[i] : words[i].substr(0, letters);
      if (!rest_.starts_with(written)) continue;
      rest_.remove_prefix(written.size());
      return i;
    }
    ok_ = false;
    return 0;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Parts {
  int year = 0;
  unsigned month = 0;  // 0 to 11
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

void read_time(DateReader& reader, Parts& parts) {
  parts.hour = reader.number(2);
  reader.literal(":");
  parts.minute = reader.number(2);
  reader.literal(":");
  parts.second = reader.number(2);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<Parts> read_fixed(std::string_view text) {
  DateReader reader(text);
  Parts parts;
  reader.word(kDays, 3);
  reader.literal(", ");
  parts.day = reader.number(2);
  reader.literal(" ");
  parts.month = reader.word(kMonths, 0);
  reader.literal(" ");
  parts.year = reader.number(4);
  reader.literal(" ");
  read_time(reader, parts);
  reader.literal(" GMT");
  return reader.done() ? std::optional(parts) : std::nullopt;
}

// "Sunday, 06-Nov-94 08:49:37 GMT"; a year more than 50 years ahead is one of the last century.
std::optional<Parts> read_rfc850(std::string_view text, int this_year) {
  DateReader reader(text);
  Parts parts;
  reader.word(kDays, 0);
  reader.literal(", ");
  parts.day = reader.number(2);
  reader.literal("-");
  parts.month = reader.word(kMonths, 0);
  reader.literal("-");
  parts.year = this_year - this_year % 100 + reader.number(2);
  reader.literal(" ");
  read_time(reader, parts);
  reader.literal(" GMT");
  if (parts.year > this_year + 50) parts.year -= 100;
  return reader.done() ? std::optional(parts) : std::nullopt;
}

// "Sun Nov  6 08:49:37 1994"
std::optional<Parts> read_asctime(std::string_view text) {
  DateReader reader(text);
  Parts parts;
  reader.word(kDays, 3);
  reader.literal(" ");
  parts.month = reader.word(kMonths, 0);
  reader.literal(" ");
  parts.day = reader.padded_day();
  reader.literal(" ");
  read_time(reader, parts);
  reader.literal(" ");
  parts.year = reader.number(4);
  return reader.done() ? std::optional(parts) : std::nullopt;
}

std::chrono::year_month_day date_of(std::int64_t seconds) {
  return std::chrono::year_month_day(sys_days(std::chrono::days(seconds / kDaySeconds)));
}

}  // namespace

void append_http_date(std::string& out, std::int64_t unbounded_seconds) {
  const std::int64_t seconds = std::clamp<std::int64_t>(unbounded_seconds, 0, kLastSecond);
  const std::chrono::year_month_day date = date_of(seconds);
  const std::chrono::weekday weekday{sys_days(date)};
  const std::int64_t second_of_day = seconds % kDaySeconds;
  out.append(kDays[weekday.c_encoding()].substr(0, 3)).append(", ");
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out.append(" ").append(kMonths[static_cast<unsigned>(date.month()) - 1]).append(" ");
  append_two_digits(out, static_cast<int>(date.year()) / 100);
  append_two_digits(out, static_cast<int>(date.year()) % 100);
  out.append(" ");
  append_two_digits(out, second_of_day / 3600);
  out.append(":");
  append_two_digits(out, second_of_day / 60 % 60);
  out.append(":");
  append_two_digits(out, second_of_day % 60);
  out.append(" GMT");
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now_s) {
  const int this_year = static_cast<int>(date_of(std::clamp<std::int64_t>(now_s, 0, kLastSecond)).year());
  std::optional<Parts> parts = read_fixed(text);
  if (!parts) parts = read_rfc850(text, this_year);
  if (!parts) parts = read_asctime(text);
  if (!parts) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(parts->year), std::chrono::month(parts->month + 1),
                                         std::chrono::day(static_cast<unsigned>(parts->day))};
  // A leap second is 60.
  if (!date.ok() || parts->hour > 23 || parts->minute > 59 || parts->second > 60) return std::nullopt;
  const std::int64_t days = sys_days(date).time_since_epoch().count();
  return days * kDaySeconds + parts->hour * 3600 + parts->minute * 60 + parts->second;
}

}  // namespace rowhouse::gateway
