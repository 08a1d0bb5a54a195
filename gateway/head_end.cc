// find_head_end: the caps and the line ends, while a head is still arriving.
#include <algorithm>
#include <optional>

#include "gateway/head_rules.h"
#include "gateway/http_bytes.h"

namespace rowhouse::gateway {
namespace {

using Refusal = std::optional<HeadRefusal>;

constexpr std::size_t kNowhere = std::string_view::npos;

HeadRefusal refuse(const char* reason) { return {400, proto::Cause::kBadRequest, reason}; }

// Where the head stands: the line that is being looked at.
struct Line {
  std::size_t begin = 0;   // of the line
  std::size_t fields = 0;  // where the field section begins; 0 on the request line
  std::size_t number = 0;  // of the field, from 1

  // The position that the line's CRLF must not pass.
  [[nodiscard]] std::size_t limit() const {
    if (fields == 0) return begin + kMaxRequestLineBytes;
    return std::min(begin + kMaxFieldLineBytes, fields + kMaxFieldSectionBytes - 2);
  }
  void advance(std::size_t next) {
    if (fields == 0) fields = next;
    begin = next;
    ++number;
  }
};

// The line that an earlier look, which found `checked` bytes without fault and without end, stopped in.
Line resume(std::string_view input, std::size_t checked) {
  Line line;
  if (input.starts_with("\r\n")) line.begin = 2;
  const std::string_view seen = input.substr(0, checked);
  const std::size_t first_end = seen.find('\n', line.begin);
  if (first_end == kNowhere) return line;
  line.advance(first_end + 1);
  const std::size_t last = seen.rfind('\n') + 1;
  line.number += static_cast<std::size_t>(std::count(seen.begin() + line.begin, seen.begin() + last, '\n'));
  line.begin = last;
  return line;
}

HeadRefusal refuse_size(const Line& line) {
  if (line.fields == 0) return {414, proto::Cause::kTooLarge, "request line over its cap"};
  return {431, proto::Cause::kTooLarge, "field line or field section over its cap"};
}

// The end of the line's content, where its CRLF stands; kNowhere when more bytes are needed.
std::variant<std::size_t, HeadRefusal> find_line_end(std::string_view input, const Line& line) {
  const std::size_t limit = line.limit();
  if (line.begin > limit) return refuse_size(line);
  const std::string_view rest = input.substr(line.begin, limit + 1 - line.begin);
  const std::size_t end = std::min(rest.find('\r'), rest.size());
  if (rest.substr(0, end).find('\n') != kNowhere) return refuse("line feed without carriage return");
  const std::size_t at = line.begin + end;
  if (at > limit) return refuse_size(line);
  if (at + 1 >= input.size()) return kNowhere;
  if (input[at + 1] != '\n') return refuse("carriage return without line feed");
  return at;
}

Refusal check_first_byte(std::string_view input, const Line& line) {
  const char first = input[line.begin];
  if (line.fields == 0 && first == '\r') return refuse("more than one empty line before the request");
  if (line.fields == 0 && !kTokenBytes[static_cast<unsigned char>(first)]) return refuse("no request");
  if (line.number > proto::kMaxFields && first != '\r') {
    return HeadRefusal{431, proto::Cause::kTooLarge, "too many fields"};
  }
  return std::nullopt;
}

// HTTP/0.9 and other protocols are told at once: such a client may wait for an answer after one line.
Refusal check_request_line(std::string_view line) {
  constexpr std::size_t kVersionBytes = 8;
  const std::string_view version = line.substr(line.size() - std::min(line.size(), kVersionBytes));
  if (version.starts_with("HTTP/")) return std::nullopt;
  return refuse("no version in the request line");
}

}  // namespace

std::variant<std::size_t, HeadRefusal> find_head_end(std::string_view input, std::size_t checked) {
  if (input.empty() || input == "\r") return std::size_t{0};
  Line line = resume(input, checked);
  while (line.begin < input.size()) {
    if (const auto refusal = check_first_byte(input, line)) return *refusal;
    const auto found = find_line_end(input, line);
    if (const auto* refusal = std::get_if<HeadRefusal>(&found)) return *refusal;
    const std::size_t end = std::get<std::size_t>(found);
    if (end == kNowhere) return std::size_t{0};
    if (line.fields != 0 && end == line.begin) return end + 2;
    if (line.fields == 0) {
      const std::string_view text = input.substr(line.begin, end - line.begin);
      if (const auto refusal = check_request_line(text)) return *refusal;
    }
    line.advance(end + 2);
  }
  return std::size_t{0};
}

}  // namespace rowhouse::gateway
