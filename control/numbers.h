// Whole numbers in parameters of a request.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace rowhouse::control {

// `otherwise` for an empty text; nothing for one that is no decimal number.
[[nodiscard]] inline std::optional<std::uint64_t> parse_number(const std::string& text, std::uint64_t otherwise) {
  if (text.empty()) return otherwise;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace rowhouse::control
