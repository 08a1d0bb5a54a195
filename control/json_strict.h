// JSON from strangers.  Refuses what a lenient parser lets pass: duplicate keys, trailing bytes, a byte order
// mark, NUL in strings, numbers beyond their type, deep nesting; and, against a schema, unknown fields.
// Nothing throws out of here.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace rowhouse::control {

inline constexpr std::size_t kMaxJsonDepth = 16;

// Where and why: `pointer` is a JSON pointer (RFC 6901), "" for the whole document.
struct JsonProblem {
  std::string pointer;
  std::string message;
};

struct ParsedJson {
  nlohmann::json value;
  std::optional<JsonProblem> problem;
};

[[nodiscard]] ParsedJson parse_json(std::string_view text);

// A problem when `value` is no object or has a field that is not in `names`.
[[nodiscard]] std::optional<JsonProblem> check_fields(const nlohmann::json& value,
                                                      std::initializer_list<std::string_view> names);

}  // namespace rowhouse::control
