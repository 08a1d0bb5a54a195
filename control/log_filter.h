// Which lines of a log somebody wants to see.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/log_line.h"

namespace rowhouse::control {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kCritical };

// "debug" ... "critical", as Python's logging has them.
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view word);

// A guess for what the app wrote, for a line is what it is: the first word of Python's logging in capitals near its
// beginning, error for the first line of a traceback, else info.  Of a request its status tells (4xx: warning, 5xx: error),
// of a notice whether something has died.
[[nodiscard]] LogLevel level_of(const LogLine& line);

// "2026-01-31", "2026-01-31T23:59:59Z", the same with milliseconds, or "15m" before now (s, m, h, d), in the form in which lines
// have their times.  Nothing for anything else.
[[nodiscard]] std::optional<std::string> parse_log_time(std::string_view text, std::int64_t now_ms);

// Everything that is said must hold; what is empty is not said.
struct LogFilter {
  std::string since, until;       // as parse_log_time gives them; until itself is not meant any more
  std::optional<LogLevel> level;  // at least
  std::string request;            // the id of a request, whole
  std::string text;               // anywhere in the line as it is shown

  [[nodiscard]] bool is_empty() const { return since.empty() && until.empty() && !level && request.empty() && text.empty(); }
  [[nodiscard]] bool wants(const LogLine& line) const;
};

}  // namespace rowhouse::control
