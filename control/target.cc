#include "control/target.h"

#include <charconv>
#include <optional>

namespace rowhouse::control {
namespace {

std::optional<std::string> decode_percent(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || parsed.ptr != digits.data() + 2 || value == 0) return std::nullopt;
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

// Takes what stands before the next `separator`.
std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

Status parse_path(std::string_view path, Target& target) {
  if (!path.starts_with('/')) return make_error(ErrorCode::kInvalid, "the target is no path");
  path.remove_prefix(1);
  while (!path.empty()) {
    const auto segment = decode_percent(take_part(path, '/'));
    if (!segment || segment->empty()) return make_error(ErrorCode::kInvalid, "the path is malformed");
    if (target.segments.size() == kMaxSegments) return make_error(ErrorCode::kTooLarge, "the path");
    target.segments.push_back(*segment);
  }
  return {};
}

Status parse_query(std::string_view query, Target& target) {
  while (!query.empty()) {
    std::string_view value = take_part(query, '&');
    const auto name = decode_percent(take_part(value, '='));
    const auto decoded = decode_percent(value);
    if (!name || name->empty() || !decoded) return make_error(ErrorCode::kInvalid, "the query is malformed");
    if (target.parameters.size() == kMaxParameters) return make_error(ErrorCode::kTooLarge, "the query");
    if (!target.parameters.emplace(*name, *decoded).second) {
      return make_error(ErrorCode::kInvalid, "a query parameter stands twice");
    }
  }
  return {};
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
  Target target;
  std::string_view query = text;
  const std::string_view path = take_part(query, '?');
  RH_TRY(parse_path(path, target));
  RH_TRY(parse_query(query, target));
  return target;
}

}  // namespace rowhouse::control
