#include "gateway/mime.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

constexpr std::size_t kMaxTableBytes = 1024 * 1024;
constexpr std::size_t kMaxExtensionBytes = 16;
constexpr std::string_view kUnknownType = "application/octet-stream";

// What a site needs where the system has no table.
constexpr std::string_view kBuiltIn =
    "application/gzip gz\n"
    "application/json json map\n"
    "application/manifest+json webmanifest\n"
    "application/pdf pdf\n"
    "application/wasm wasm\n"
    "application/xml xml\n"
    "application/zip zip\n"
    "audio/mpeg mp3\n"
    "audio/ogg ogg\n"
    "font/otf otf\n"
    "font/ttf ttf\n"
    "font/woff woff\n"
    "font/woff2 woff2\n"
    "image/avif avif\n"
    "image/gif gif\n"
    "image/jpeg jpg jpeg\n"
    "image/png png\n"
    "image/svg+xml svg\n"
    "image/vnd.microsoft.icon ico\n"
    "image/webp webp\n"
    "text/css css\n"
    "text/csv csv\n"
    "text/html html htm\n"
    "text/javascript js mjs\n"
    "text/markdown md\n"
    "text/plain txt\n"
    "video/mp4 mp4\n"
    "video/webm webm\n";

// The next word of a line, taken off its front; empty at its end.
std::string_view take_word(std::string_view& line) {
  line = trim_blanks(line);
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

// The type goes into a header field: a token on both sides of the slash and nothing else.
bool is_type(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_token(text.substr(0, slash)) &&
         is_token(text.substr(slash + 1));
}

std::string_view without_return(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

MimeTypes::MimeTypes() { add_table(kBuiltIn); }

Status MimeTypes::read(const char* path) {
  RH_ASSIGN(const std::string table, read_file(AT_FDCWD, path, kMaxTableBytes));
  add_table(table);
  return {};
}

void MimeTypes::add_table(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    add_line(without_return(line));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

void MimeTypes::add_line(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::string_view type = take_word(line);
  if (!is_type(type)) return;
  std::string value(type);
  if (type.starts_with("text/")) value += "; charset=utf-8";
  for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
    if (word.size() > kMaxExtensionBytes) continue;
    std::string extension(word.size(), '\0');
    std::transform(word.begin(), word.end(), extension.begin(), to_lower);
    types_.insert_or_assign(std::move(extension), value);
  }
}

std::string_view MimeTypes::of_file(std::string_view file_name) const {
  const std::string_view base = file_name.substr(file_name.rfind('/') + 1);
  const std::size_t dot = base.rfind('.');
  if (dot == std::string_view::npos || base.size() - dot - 1 > kMaxExtensionBytes) return kUnknownType;
  std::array<char, kMaxExtensionBytes> room{};
  const std::string_view extension = base.substr(dot + 1);
  std::transform(extension.begin(), extension.end(), room.begin(), to_lower);
  const auto found = types_.find(std::string_view(room.data(), extension.size()));
  return found == types_.end() ? kUnknownType : std::string_view(found->second);
}

}  // namespace rowhouse::gateway
