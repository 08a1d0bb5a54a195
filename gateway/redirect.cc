#include "gateway/redirect.h"

#include "gateway/http_bytes.h"
#include "gateway/response_rules.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kMaxTargetBytes = 1024;

// RFC 3986 3.3 pchar without escapes, and the slash.
constexpr ByteTable kPathBytes = byte_table([](unsigned char byte) {
  return is_alphanumeric(static_cast<char>(byte)) ||
         (byte != 0 &&
          std::string_view("-._~!$&'()*+,;=:@/").find(static_cast<char>(byte)) != std::string_view::npos);
});

void append_escaped(std::string& out, std::string_view path) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char byte : path) {
    const auto value = static_cast<unsigned char>(byte);
    if (kPathBytes[value]) {
      out += byte;
    } else {
      out += {'%', kHex[value >> 4], kHex[value & 15]};
    }
  }
}

// The target with what is kept of the request.
std::string location_of(const Redirect& redirect, const RedirectedRequest& request) {
  std::string location = redirect.target;
  if (!redirect.keep_path) return location;
  std::string_view below = request.below;
  // "//x" behind "/" would name a host, and one slash between both parts is enough.
  while (location.ends_with('/') && below.starts_with('/')) below.remove_prefix(1);
  append_escaped(location, below);
  if (!request.query.empty()) location.append("?").append(request.query);
  return location;
}

}  // namespace

bool is_sound(const Redirect& redirect) {
  const std::string_view target = redirect.target;
  const bool absolute = target.starts_with("http://") || target.starts_with("https://");
  const bool path = target.starts_with('/') && !target.starts_with("//");
  const bool status = redirect.status == 301 || redirect.status == 302 || redirect.status == 303 ||
                      redirect.status == 307 || redirect.status == 308;
  return status && (absolute || path) && target.size() <= kMaxTargetBytes && all_in(kTargetBytes, target) &&
         (!redirect.keep_path || target.find('?') == std::string_view::npos);
}

void append_redirect(std::string& out, const Redirect& redirect, const RedirectedRequest& request) {
  out.append("HTTP/1.1 ").append(std::to_string(redirect.status)).append(" ");
  out.append(standard_reason(redirect.status)).append("\r\nDate: ").append(request.date);
  out.append("\r\nServer: Rowhouse\r\nLocation: ").append(location_of(redirect, request));
  out.append("\r\nContent-Length: 0\r\nConnection: ");
  out.append(request.after == AfterAnswer::kClose ? "close" : "keep-alive").append("\r\n\r\n");
}

}  // namespace rowhouse::gateway
