#include "gateway/request_line.h"

#include <algorithm>
#include <array>
#include <optional>

#include "gateway/authority.h"
#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

// The methods that llhttp takes over HTTP/1; CONNECT is answered before, PRI belongs to HTTP/2.
constexpr std::array<std::string_view, 33> kMethods = {
    "GET",    "HEAD",       "POST",       "PUT",      "DELETE",    "OPTIONS",     "PATCH",
    "TRACE",  "COPY",       "LOCK",       "MKCOL",    "MOVE",      "PROPFIND",    "PROPPATCH",
    "SEARCH", "UNLOCK",     "BIND",       "REBIND",   "UNBIND",    "ACL",         "REPORT",
    "MERGE",  "NOTIFY",     "MKACTIVITY", "CHECKOUT", "SUBSCRIBE", "UNSUBSCRIBE", "M-SEARCH",
    "PURGE",  "MKCALENDAR", "LINK",       "UNLINK",   "SOURCE"};

constexpr std::string_view kHttpScheme = "http://";

HeadRefusal refuse(const char* reason) { return {400, proto::Cause::kBadRequest, reason}; }

std::optional<HeadRefusal> check_version(std::string_view text, RequestLine& line) {
  const bool well_formed = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) &&
                           text[6] == '.' && is_digit(text[7]);
  if (!well_formed) return refuse("malformed version");
  if (text[5] >= '2') return HeadRefusal{505, proto::Cause::kBadRequest, "version is not 1.1 or 1.0"};
  if (text != "HTTP/1.1" && text != "HTTP/1.0") return refuse("version is not 1.1 or 1.0");
  line.version = text[7] == '1' ? 11 : 10;
  return std::nullopt;
}

std::optional<HeadRefusal> check_method(std::string_view text, RequestLine& line) {
  if (!is_token(text)) return refuse("malformed method");
  if (text == "CONNECT") return HeadRefusal{405, proto::Cause::kBadRequest, "CONNECT"};
  if (std::find(kMethods.begin(), kMethods.end(), text) == kMethods.end()) {
    return HeadRefusal{501, proto::Cause::kBadRequest, "unknown method"};
  }
  line.method = text;
  return std::nullopt;
}

// `text` is the path and query of a target.
void split_query(std::string_view text, RequestLine& line) {
  const std::size_t mark = text.find('?');
  line.path = text.substr(0, mark);
  if (mark != std::string_view::npos) line.query = text.substr(mark + 1);
}

std::optional<HeadRefusal> check_absolute_target(std::string_view text, RequestLine& line) {
  if (!equals_lower(text.substr(0, kHttpScheme.size()), kHttpScheme)) return refuse("malformed target");
  text.remove_prefix(kHttpScheme.size());
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  line.authority = text.substr(0, end);
  if (!parse_authority(line.authority)) return refuse("malformed authority in the target");
  split_query(text.substr(end), line);
  if (!line.path.empty()) return std::nullopt;
  // RFC 9112 3.2.4: OPTIONS without path and query asks about the server as a whole.
  line.asterisk = line.method == "OPTIONS" && end == text.size();
  line.path = line.asterisk ? "*" : "/";
  return std::nullopt;
}

std::optional<HeadRefusal> check_target(std::string_view text, RequestLine& line) {
  if (text.empty() || !all_in(kTargetBytes, text)) return refuse("forbidden byte in the target");
  line.target = text;
  if (text.front() == '/') {
    split_query(text, line);
    return std::nullopt;
  }
  if (text != "*") return check_absolute_target(text, line);
  if (line.method != "OPTIONS") return refuse("target * without OPTIONS");
  line.asterisk = true;
  line.path = text;
  return std::nullopt;
}

}  // namespace

std::variant<RequestLine, HeadRefusal> parse_request_line(std::string_view text) {
  const std::size_t first = text.find(' ');
  const std::size_t last = text.rfind(' ');
  if (first == std::string_view::npos || first == last) return refuse("malformed request line");
  RequestLine line;
  // A third space is a forbidden byte of the target.
  if (const auto refusal = check_version(text.substr(last + 1), line)) return *refusal;
  if (const auto refusal = check_method(text.substr(0, first), line)) return *refusal;
  if (const auto refusal = check_target(text.substr(first + 1, last - first - 1), line)) return *refusal;
  return line;
}

}  // namespace rowhouse::gateway
