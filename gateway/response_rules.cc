#include "gateway/response_rules.h"

#include <algorithm>
#include <array>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

constexpr std::array<std::string_view, 13> kDroppedNames = {
    "connection", "keep-alive",     "proxy-connection", "proxy-authenticate",
    "te",         "trailer",        "trailers",         "transfer-encoding",
    "upgrade",    "http2-settings", "content-length",   "date",
    "server"};
constexpr std::string_view kOwnPrefix = "rowhouse-";

constexpr std::uint16_t kFirstStatus = 200;
constexpr std::uint16_t kLastStatus = 599;

struct Reason {
  std::uint16_t status;
  std::string_view phrase;
};
constexpr std::array<Reason, 62> kReasons = {{{100, "Continue"},
                                              {101, "Switching Protocols"},
                                              {102, "Processing"},
                                              {103, "Early Hints"},
                                              {200, "OK"},
                                              {201, "Created"},
                                              {202, "Accepted"},
                                              {203, "Non-Authoritative Information"},
                                              {204, "No Content"},
                                              {205, "Reset Content"},
                                              {206, "Partial Content"},
                                              {207, "Multi-Status"},
                                              {208, "Already Reported"},
                                              {226, "IM Used"},
                                              {300, "Multiple Choices"},
                                              {301, "Moved Permanently"},
                                              {302, "Found"},
                                              {303, "See Other"},
                                              {304, "Not Modified"},
                                              {305, "Use Proxy"},
                                              {307, "Temporary Redirect"},
                                              {308, "Permanent Redirect"},
                                              {400, "Bad Request"},
                                              {401, "Unauthorized"},
                                              {402, "Payment Required"},
                                              {403, "Forbidden"},
                                              {404, "Not Found"},
                                              {405, "Method Not Allowed"},
                                              {406, "Not Acceptable"},
                                              {407, "Proxy Authentication Required"},
                                              {408, "Request Timeout"},
                                              {409, "Conflict"},
                                              {410, "Gone"},
                                              {411, "Length Required"},
                                              {412, "Precondition Failed"},
                                              {413, "Content Too Large"},
                                              {414, "URI Too Long"},
                                              {415, "Unsupported Media Type"},
                                              {416, "Range Not Satisfiable"},
                                              {417, "Expectation Failed"},
                                              {418, "I'm a teapot"},
                                              {421, "Misdirected Request"},
                                              {422, "Unprocessable Content"},
                                              {423, "Locked"},
                                              {424, "Failed Dependency"},
                                              {425, "Too Early"},
                                              {426, "Upgrade Required"},
                                              {428, "Precondition Required"},
                                              {429, "Too Many Requests"},
                                              {431, "Request Header Fields Too Large"},
                                              {451, "Unavailable For Legal Reasons"},
                                              {500, "Internal Server Error"},
                                              {501, "Not Implemented"},
                                              {502, "Bad Gateway"},
                                              {503, "Service Unavailable"},
                                              {504, "Gateway Timeout"},
                                              {505, "HTTP Version Not Supported"},
                                              {506, "Variant Also Negotiates"},
                                              {507, "Insufficient Storage"},
                                              {508, "Loop Detected"},
                                              {510, "Not Extended"},
                                              {511, "Network Authentication Required"}}};
static_assert(std::is_sorted(kReasons.begin(), kReasons.end(),
                             [](const Reason& a, const Reason& b) { return a.status < b.status; }));

Error invalid(const char* operation) { return make_error(ErrorCode::kInvalid, operation); }

bool is_content_length(const proto::Field& field) { return equals_lower(field.name, "content-length"); }

Result<CheckedResponse> check_head_text(const proto::ResponseHead& head) {
  if (!all_in(kValueBytes, head.reason)) return invalid("response reason");
  CheckedResponse checked;
  for (const proto::Field& field : head.fields) {
    if (field.number == 0 && !is_token(field.name)) return invalid("response field name");
    if (count_value_bytes(field.value) != field.value.size()) return invalid("response field value");
    if (!is_content_length(field)) continue;
    const auto length = parse_content_length(trim_blanks(field.value));
    if (checked.has_length || !length) return invalid("response Content-Length");
    checked = {true, *length};
  }
  return checked;
}

}  // namespace

Result<CheckedResponse> check_response(const proto::ResponseHead& head) {
  if (head.status < kFirstStatus || head.status > kLastStatus) return invalid("response status");
  return check_head_text(head);
}

Status check_tunnel(const proto::ResponseHead& head) {
  RH_ASSIGN(const CheckedResponse checked, check_head_text(head));
  return checked.has_length ? Status(invalid("tunnel Content-Length")) : Status();
}

bool is_dropped_response_field(std::string_view name) {
  const auto is_same = [name](std::string_view lower) { return equals_lower(name, lower); };
  return equals_lower(name.substr(0, kOwnPrefix.size()), kOwnPrefix) ||
         std::any_of(kDroppedNames.begin(), kDroppedNames.end(), is_same);
}

std::string_view standard_reason(std::uint16_t status) {
  const auto found =
      std::lower_bound(kReasons.begin(), kReasons.end(), status,
                       [](const Reason& reason, std::uint16_t key) { return reason.status < key; });
  return found != kReasons.end() && found->status == status ? found->phrase : "Unknown";
}

}  // namespace rowhouse::gateway
