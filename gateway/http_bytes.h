// The alphabets of HTTP (RFC 9110 5.6, RFC 9112 3.2, 5.5) as tables, and the few operations on ASCII texts
// that the rules of heads need.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace rowhouse::gateway {

using ByteTable = std::array<bool, 256>;

[[nodiscard]] constexpr bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
[[nodiscard]] constexpr char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}
[[nodiscard]] constexpr bool is_alphanumeric(char byte) {
  return is_digit(byte) || (to_lower(byte) >= 'a' && to_lower(byte) <= 'z');
}
// The value of a hex digit, or -1.
[[nodiscard]] constexpr int hex_digit(char byte) {
  if (is_digit(byte)) return byte - '0';
  const char lower = to_lower(byte);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

template <typename Predicate>
[[nodiscard]] constexpr ByteTable byte_table(Predicate holds) {
  ByteTable table{};
  for (int i = 0; i < 256; ++i) table[static_cast<std::size_t>(i)] = holds(static_cast<unsigned char>(i));
  return table;
}

// token: names of methods and fields.
inline constexpr ByteTable kTokenBytes = byte_table([](unsigned char byte) {
  return is_alphanumeric(static_cast<char>(byte)) ||
         (byte != 0 &&
          std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(byte)) != std::string_view::npos);
});
// Field values and reasons: HTAB, SP, VCHAR, obs-text.
inline constexpr ByteTable kValueBytes =
    byte_table([](unsigned char byte) { return byte == '\t' || (byte >= 0x20 && byte != 0x7f); });
// Targets: printable ASCII without "#"; other bytes that RFC 3986 does not allow are harmless and old clients
// send them.
inline constexpr ByteTable kTargetBytes =
    byte_table([](unsigned char byte) { return byte > 0x20 && byte < 0x7f && byte != '#'; });

// How many bytes at the beginning of `text` are in the table.
[[nodiscard]] inline std::size_t count_leading(const ByteTable& table, std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && table[static_cast<unsigned char>(text[count])]) ++count;
  return count;
}
[[nodiscard]] inline bool all_in(const ByteTable& table, std::string_view text) {
  return count_leading(table, text) == text.size();
}

// count_leading(kValueBytes, text), eight bytes at a time: most of a head is values.
[[nodiscard]] inline std::size_t count_value_bytes(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::size_t count = 0;
  for (; count + 8 <= text.size(); count += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + count, 8);
    // The high bit of a byte below 0x20, and of a byte that is 0x7f; a carry may only add to them.
    const std::uint64_t controls = (word - kOnes * 0x20) & ~word;
    const std::uint64_t deletes = ((word ^ kOnes * 0x7f) - kOnes) & ~(word ^ kOnes * 0x7f);
    if (((controls | deletes) & kHighBits) != 0) break;
  }
  return count + count_leading(kValueBytes, text.substr(count));
}
[[nodiscard]] inline bool is_token(std::string_view text) {
  return !text.empty() && all_in(kTokenBytes, text);
}

// Without SP and HTAB at both ends.
[[nodiscard]] constexpr std::string_view trim_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// REQUIRES: `lower` is in lower case.
[[nodiscard]] constexpr bool equals_lower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (to_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

// Calls `visit` for each element of a comma-separated list, without blanks around it; empty ones too.
template <typename Visit>
constexpr void for_each_element(std::string_view list, Visit visit) {
  while (true) {
    const std::size_t comma = list.find(',');
    visit(trim_blanks(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

// Digits only, without a leading zero, below 2^63: the one form of Content-Length that nobody reads
// differently.
[[nodiscard]] inline std::optional<std::uint64_t> parse_content_length(std::string_view text) {
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

}  // namespace rowhouse::gateway
