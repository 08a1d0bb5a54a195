// Classes of ASCII characters, independent of any locale.
#pragma once

#include <algorithm>
#include <string_view>

namespace rowhouse::config {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_control(char c) {
  return (c >= 0 && c < 0x20) || c == 0x7f;
}

// [A-Za-z_][A-Za-z0-9_]*
inline bool is_identifier(std::string_view text) {
  return !text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '_';
  });
}

}  // namespace rowhouse::config
