// One line of an app's log, in its two forms.  In app.log:
//
//     2026-01-31T23:59:59.042Z worker[3.2] stderr the text           what worker 2 of generation 3 wrote
//     2026-01-31T23:59:59.042Z worker[3.2] rowhouse: the text        what Rowhouse says about it
//     2026-01-31T23:59:59.042Z steward[3.0] ...                      the same for pid 1 of the sandbox
//
// The text is in the form of escape_line, so nothing in it can pass for another line.  In the API each line
// is one JSON object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::control {

enum class LogStream { kStderr, kRowhouse, kAccess };

struct LogLine {
  LogStream stream = LogStream::kStderr;
  std::string at;  // RFC 3339
  std::uint32_t generation = 0;
  std::uint32_t worker = 0;
  std::string text;  // escaped
};

// With the line end.  An access line is its text alone.
[[nodiscard]] std::string format_log_line(const LogLine& line);
// The line of app.log that format_log_line made; nothing when it is none.
[[nodiscard]] std::optional<LogLine> parse_log_line(std::string_view stored);
// The line of access.log, whose time is read out of it, in whichever form it is.
[[nodiscard]] LogLine parse_access_line(std::string_view stored);
// One line of newline-delimited JSON.
[[nodiscard]] std::string log_line_json(const LogLine& line);

}  // namespace rowhouse::control
