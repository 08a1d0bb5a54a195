#include "control/log_filter.h"

#include <algorithm>
#include <charconv>

#include "control/access_json.h"
#include "control/timestamp.h"
#include "control/usage_period.h"

namespace rowhouse::control {
namespace {

constexpr std::size_t kLevelWithinBytes = 200;
constexpr std::int64_t kMaxBackS = 10LL * 366 * 24 * 3600;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool has_word(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return true;
  }
  return false;
}

LogLevel level_of_text(std::string_view text) {
  constexpr std::pair<std::string_view, LogLevel> kWords[] = {
      {"CRITICAL", LogLevel::kCritical}, {"FATAL", LogLevel::kCritical}, {"ERROR", LogLevel::kError},
      {"WARNING", LogLevel::kWarning},   {"WARN", LogLevel::kWarning},   {"INFO", LogLevel::kInfo},
      {"DEBUG", LogLevel::kDebug}};
  const std::string_view front = text.substr(0, kLevelWithinBytes);
  std::size_t first = std::string_view::npos;
  LogLevel level = front.starts_with("Traceback (most recent call last)") ? LogLevel::kError : LogLevel::kInfo;
  for (const auto& [word, its] : kWords) {
    const std::size_t at = front.find(word);
    if (at >= first || !has_word(front, word)) continue;
    first = at;
    level = its;
  }
  return level;
}

// The status of an access line: after the request's closing quote, or an object's field.
LogLevel level_of_access(std::string_view text) {
  const std::string_view mark = text.starts_with(kAccessJsonStart) ? "\"status\":" : "\" ";
  std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return LogLevel::kInfo;
  at = text.find_first_not_of(' ', at + mark.size());
  const char first = at == std::string_view::npos ? '0' : text[at];
  if (first == '5') return LogLevel::kError;
  return first == '4' ? LogLevel::kWarning : LogLevel::kInfo;
}

// Every # of the pattern is a digit.
bool matches(std::string_view text, std::string_view pattern) {
  return text.size() == pattern.size() &&
         std::equal(text.begin(), text.end(), pattern.begin(),
                    [](char c, char p) { return p == '#' ? c >= '0' && c <= '9' : c == p; });
}

// A time of day that there is; a second may be a leap second.
bool is_time(std::string_view text) {
  return (matches(text, "T##:##:##Z") || matches(text, "T##:##:##.###Z")) && text.substr(1, 2) < "24" &&
         text.substr(4, 2) < "60" && text.substr(7, 2) <= "60";
}

std::optional<std::int64_t> unit_s(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 24 * 3600;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view word) {
  constexpr std::string_view kWords[] = {"debug", "info", "warning", "error", "critical"};
  const auto* found = std::find(std::begin(kWords), std::end(kWords), word);
  if (found == std::end(kWords)) return std::nullopt;
  return static_cast<LogLevel>(found - std::begin(kWords));
}

LogLevel level_of(const LogLine& line) {
  if (line.stream == LogStream::kAccess) return level_of_access(line.text);
  if (line.stream == LogStream::kStderr) return level_of_text(line.text);
  return has_word(line.text, "died") ? LogLevel::kError : LogLevel::kInfo;
}

std::optional<std::string> parse_log_time(std::string_view text, std::int64_t now_ms) {
  if (const std::string_view day = text.substr(0, 10); parse_hour(day)) {
    const std::string_view time = text.substr(day.size());
    if (time.empty()) return std::string(day) + "T00:00:00.000Z";
    if (!is_time(time)) return std::nullopt;
    return std::string(text.substr(0, 19)) + (time.size() == 10 ? ".000Z" : std::string(time.substr(9)));
  }
  if (text.size() < 2) return std::nullopt;
  const auto unit = unit_s(text.back());
  std::int64_t count = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size() - 1, count);
  const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() - 1;
  if (!unit || !whole || count < 0 || count > kMaxBackS / *unit) return std::nullopt;
  return format_rfc3339(std::max<std::int64_t>(0, now_ms - count * *unit * 1000));
}

bool LogFilter::wants(const LogLine& line) const {
  if (!since.empty() && line.at < since) return false;
  if (!until.empty() && line.at >= until) return false;
  if (level && level_of(line) < *level) return false;
  if (!request.empty() && !has_word(line.text, request)) return false;
  return text.empty() || line.text.find(text) != std::string::npos;
}

}  // namespace rowhouse::control
