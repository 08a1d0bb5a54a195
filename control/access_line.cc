#include "control/access_line.h"

#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "control/access_json.h"
#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

enum class Where { kWord, kQuotes };

void append_escaped(std::string& line, std::string_view text, Where where) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  if (text.empty()) line += '-';
  for (const char c : text) {
    const bool plain = c > ' ' && c < 0x7f && c != '"' && c != '\\';
    if (plain || (c == ' ' && where == Where::kQuotes)) {
      line += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      line += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
}

void append_seconds(std::string& line, std::string_view name, std::uint32_t microseconds) {
  char text[24];
  std::snprintf(text, sizeof text, "%u.%06u", microseconds / 1'000'000, microseconds % 1'000'000);
  line.append(" ").append(name).append("=").append(text);
}

void append_request(std::string& line, const proto::AccessRecord& record) {
  line += " \"";
  append_escaped(line, record.method, Where::kWord);
  line += ' ';
  append_escaped(line, record.target, Where::kWord);
  line += record.version == 10 ? " HTTP/1.0\" " : " HTTP/1.1\" ";
}

void append_quoted(std::string& line, std::string_view text) {
  line += " \"";
  append_escaped(line, text, Where::kQuotes);
  line += '"';
}

void append_error(std::string& line, std::uint64_t error_id) {
  char text[24];
  std::snprintf(text, sizeof text, "%016" PRIx64, error_id);
  line.append(" error=").append(error_id == 0 ? "-" : text);
}

}  // namespace

std::string format_access_line(const proto::AccessRecord& record) {
  if (record.format == proto::AccessFormat::kJson) return format_access_json(record);
  std::string line;
  line.reserve(256 + record.target.size() + record.user_agent.size() + record.referer.size());
  append_escaped(line, record.remote_address, Where::kWord);
  line += " - - [" + format_combined_time(record.at_ms) + "]";
  append_request(line, record);
  line += record.status == 0 ? "-" : std::to_string(record.status);
  line += " " + std::to_string(record.bytes_out);
  append_quoted(line, record.referer);
  append_quoted(line, record.user_agent);
  line += " host=";
  append_escaped(line, record.host, Where::kWord);
  append_seconds(line, "rt", record.total_us);
  append_seconds(line, "gateway", record.gateway_us);
  append_seconds(line, "queue", record.queue_us);
  append_seconds(line, "app", record.app_us);
  line += " in=" + std::to_string(record.bytes_in) + " cause=";
  line += record.cause == proto::Cause::kNone ? "-" : proto::cause_name(record.cause);
  line += " id=";
  append_escaped(line, record.request_id, Where::kWord);
  append_error(line, record.error_id);
  if (record.client_aborted) line += " aborted";
  return line;
}

}  // namespace rowhouse::control
