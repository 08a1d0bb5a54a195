#include "control/log_line.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/printable.h"
#include "control/access_json.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

constexpr std::string_view kStderrWord = "stderr";
constexpr std::string_view kRowhouseWord = "rowhouse:";

// Takes the word up to the next space.
std::string_view take_word(std::string_view& rest) {
  const std::size_t end = rest.find(' ');
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return word;
}

// Takes a number that ends with `end`.
std::optional<std::uint32_t> take_number(std::string_view& rest, char end) {
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr == rest.data() + rest.size() || *parsed.ptr != end)
    return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()) + 1);
  return number;
}

std::string_view stream_name(LogStream stream) {
  switch (stream) {
    case LogStream::kStderr: return "stderr";
    case LogStream::kRowhouse: return "rowhouse";
    case LogStream::kAccess: return "access";
  }
  return "unknown";
}

// A JSON string in ASCII.  An object of its own for each line would cost most of what a large answer costs.
std::string quote(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string format_log_line(const LogLine& line) {
  if (line.stream == LogStream::kAccess) return line.text + "\n";
  std::string stored = line.at;
  stored += line.worker == 0 ? " steward[" : " worker[";
  stored += std::to_string(line.generation) + "." + std::to_string(line.worker) + "] ";
  stored += line.stream == LogStream::kStderr ? kStderrWord : kRowhouseWord;
  return stored.append(" ").append(line.text).append("\n");
}

std::optional<LogLine> parse_log_line(std::string_view stored) {
  LogLine line;
  line.at = take_word(stored);
  std::string_view source = take_word(stored);
  const std::size_t bracket = source.find('[');
  if (bracket == std::string_view::npos) return std::nullopt;
  source.remove_prefix(bracket + 1);
  const auto generation = take_number(source, '.');
  const auto worker = generation ? take_number(source, ']') : std::nullopt;
  if (!worker) return std::nullopt;
  const std::string_view stream = take_word(stored);
  if (stream != kStderrWord && stream != kRowhouseWord) return std::nullopt;
  line.stream = stream == kStderrWord ? LogStream::kStderr : LogStream::kRowhouse;
  line.generation = *generation;
  line.worker = *worker;
  line.text = stored;
  return line;
}

LogLine parse_access_line(std::string_view stored) {
  LogLine line;
  line.stream = LogStream::kAccess;
  line.text = stored;
  if (stored.starts_with(kAccessJsonStart)) {
    const std::string_view rest = stored.substr(kAccessJsonStart.size());
    line.at = rest.substr(0, rest.find('"'));
    return line;
  }
  const std::size_t bracket = stored.find('[');
  if (bracket != std::string_view::npos) line.at = rfc3339_from_combined(stored.substr(bracket + 1));
  return line;
}

std::string log_line_json(const LogLine& line) {
  // Stored text is safe already; a file that somebody else edited may not be.
  std::string json = "{\"at\":" + quote(line.at);
  json.append(",\"stream\":\"").append(stream_name(line.stream)).append("\"");
  if (line.stream != LogStream::kAccess) {
    json +=
        ",\"generation\":" + std::to_string(line.generation) + ",\"worker\":" + std::to_string(line.worker);
  }
  return json.append(",\"text\":").append(quote(terminal_safe(line.text))).append("}\n");
}

}  // namespace rowhouse::control
