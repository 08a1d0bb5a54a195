#include "control/access_json.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "control/timestamp.h"

namespace rowhouse::control {
namespace {

void append_string(std::string& line, std::string_view bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  line += '"';
  for (const char c : bytes) {
    if (c == '"' || c == '\\') {
      line += {'\\', c};
    } else if (c >= ' ' && c < 0x7f) {
      line += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      line.append("\\u00") += {kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  line += '"';
}

void append_name(std::string& line, std::string_view name) {
  line.append(",\"").append(name).append("\":");
}

// An empty text is an absent one.
void append_text(std::string& line, std::string_view name, std::string_view bytes) {
  append_name(line, name);
  if (bytes.empty()) {
    line += "null";
  } else {
    append_string(line, bytes);
  }
}

void append_number(std::string& line, std::string_view name, std::uint64_t number) {
  append_name(line, name);
  line += std::to_string(number);
}

void append_time_if_known(std::string& line, std::string_view name, std::uint32_t us) {
  append_name(line, name);
  line += us == proto::kUnknownUs ? "null" : std::to_string(us);
}

void append_target(std::string& line, std::string_view target) {
  const std::size_t mark = target.find('?');
  append_text(line, "path", target.substr(0, mark));
  append_text(line, "query", mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1));
}

void append_status(std::string& line, std::uint16_t status) {
  append_name(line, "status");
  line += status == 0 ? "null" : std::to_string(status);
}

void append_times(std::string& line, const proto::AccessRecord& record) {
  const std::uint64_t before = std::uint64_t{record.gateway_us} + record.queue_us + record.app_us;
  append_number(line, "total_us", record.total_us);
  append_number(line, "gateway_us", record.gateway_us);
  append_number(line, "queue_us", record.queue_us);
  append_number(line, "app_us", record.app_us);
  append_number(line, "write_us", record.total_us - std::min<std::uint64_t>(before, record.total_us));
  append_time_if_known(line, "worker_cpu_us", record.cpu_us);
  append_time_if_known(line, "worker_gil_wait_us", record.gil_wait_us);
}

void append_failure(std::string& line, const proto::AccessRecord& record) {
  char id[24];
  std::snprintf(id, sizeof id, "%016" PRIx64, record.error_id);
  append_text(line, "cause", record.cause == proto::Cause::kNone ? "" : proto::cause_name(record.cause));
  append_text(line, "error_id", record.error_id == 0 ? "" : id);
}

}  // namespace

std::string format_access_json(const proto::AccessRecord& record) {
  std::string line(kAccessJsonStart);
  line.reserve(512 + record.target.size() + record.user_agent.size() + record.referer.size());
  line.append(format_rfc3339(record.at_ms)).append("\"");
  append_text(line, "id", record.request_id);
  append_text(line, "address", record.remote_address);
  append_text(line, "method", record.method);
  append_text(line, "host", record.host);
  append_target(line, record.target);
  append_text(line, "protocol", record.version == 10 ? "HTTP/1.0" : "HTTP/1.1");
  append_status(line, record.status);
  append_number(line, "request_bytes", record.bytes_in);
  append_number(line, "response_bytes", record.bytes_out);
  append_times(line, record);
  append_failure(line, record);
  append_text(line, "user_agent", record.user_agent);
  append_text(line, "referer", record.referer);
  append_name(line, "aborted");
  line += record.client_aborted ? "true}" : "false}";
  return line;
}

}  // namespace rowhouse::control
