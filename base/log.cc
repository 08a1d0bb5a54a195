#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/clock.h"

namespace rowhouse {
namespace {

constexpr std::size_t kMaxValueBytes = 1024;
const char* program_name = "rowhouse";

bool is_plain(char c) {
  return (c >= '!' && c <= '~') && c != '"' && c != '\\' && c != '=';
}

void write_line(const char* level, std::string_view event, std::initializer_list<LogField> fields) {
  const std::int64_t wall_ms = SystemClock().wall_ms();
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 40> stamp{};
  const std::size_t used = std::strftime(stamp.data(), stamp.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::string fraction = std::to_string(1000 + wall_ms % 1000);
  fraction[0] = '.';
  std::string line(stamp.data(), used);
  line += fraction + "Z level=" + level + " program=" + program_name + " event=" + quote_log_value(event);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += quote_log_value(field.text);
  }
  line += '\n';
  // A log that cannot be written must never stop the program that writes it.
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

void set_log_program(const char* program) { program_name = program; }

void log_info(std::string_view event, std::initializer_list<LogField> fields) {
  write_line("info", event, fields);
}
void log_warning(std::string_view event, std::initializer_list<LogField> fields) {
  write_line("warning", event, fields);
}
void log_error(std::string_view event, std::initializer_list<LogField> fields) {
  write_line("error", event, fields);
}

std::string quote_log_value(std::string_view text) {
  text = text.substr(0, kMaxValueBytes);
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return std::string(text);
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    if (is_plain(c) || c == ' ' || c == '=') {
      quoted += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return quoted + '"';
}

}  // namespace rowhouse
