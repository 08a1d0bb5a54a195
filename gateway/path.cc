#include "gateway/path.h"

#include <cstring>

#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

Error invalid_path(const char* operation) { return make_error(ErrorCode::kInvalid, operation); }

Status decode_once(std::string_view raw, std::string& out) {
  for (std::size_t i = 0; i < raw.size(); ++i) {
    char byte = raw[i];
    if (byte == '%') {
      if (raw.size() - i < 3) return invalid_path("path escape");
      const int high = hex_digit(raw[i + 1]);
      const int low = hex_digit(raw[i + 2]);
      if (high < 0 || low < 0) return invalid_path("path escape");
      byte = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (byte == '\0') return invalid_path("path NUL");
    out.push_back(byte);
  }
  return {};
}

// Works in place: what is written is never ahead of what is read.  `write` stands after a slash whenever a
// segment begins, so going up means to cut back to the slash before.
Status resolve_dots(std::string& path) {
  std::size_t write = 1;
  std::size_t read = 1;
  while (true) {
    const std::size_t slash = path.find('/', read);
    const std::size_t end = slash == std::string::npos ? path.size() : slash;
    const std::string_view segment = std::string_view(path).substr(read, end - read);
    if (segment == "..") {
      if (write == 1) return invalid_path("path leaves the root");
      write = path.rfind('/', write - 2) + 1;
    } else if (segment != ".") {
      std::memmove(path.data() + write, segment.data(), segment.size());
      write += segment.size();
      if (slash != std::string::npos) path[write++] = '/';
    }
    if (slash == std::string::npos) break;
    read = slash + 1;
  }
  path.resize(write);
  return {};
}

}  // namespace

Status normalise_path(std::string_view raw_path, std::string& out) {
  out.clear();
  if (raw_path.empty() || raw_path.front() != '/') return invalid_path("path without a slash");
  RH_TRY(decode_once(raw_path, out));
  if (out.find("/.") == std::string::npos) return {};
  return resolve_dots(out);
}

}  // namespace rowhouse::gateway
