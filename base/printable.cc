#include "base/printable.h"

#include <cstdint>
#include <optional>

namespace rowhouse {
namespace {

enum class Backslash { kKeep, kEscapeWhenAmbiguous };

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;
};

std::uint8_t byte_at(std::string_view text, std::size_t index) {
  return static_cast<std::uint8_t>(text[index]);
}

std::size_t sequence_bytes(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// The UTF-8 character at the front of `text` (RFC 3629: shortest form, no surrogates, at most U+10FFFF).
std::optional<Character> first_character(std::string_view text) {
  const std::uint8_t lead = byte_at(text, 0);
  const std::size_t bytes = sequence_bytes(lead);
  if (bytes == 0 || bytes > text.size()) return std::nullopt;
  if (bytes == 1) return Character{lead, 1};
  char32_t code = lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return std::nullopt;
    code = (code << 6) | (byte_at(text, i) & 0x3fu);
  }
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return std::nullopt;
  return Character{code, bytes};
}

bool is_dangerous(char32_t code) {
  if (code < 0x20) return code != '\t';
  if (code >= 0x7f && code <= 0x9f) return true;                        // DEL and C1
  if (code == 0x061c || code == 0xfeff || code == 0x00ad) return true;  // marks, soft hyphen
  if (code >= 0x200b && code <= 0x200f) return true;                    // zero width, direction marks
  if (code >= 0x2028 && code <= 0x202e) return true;                    // separators, embeddings
  if (code >= 0x2060 && code <= 0x206f) return true;                    // isolates, invisible operators
  return code >= 0xfff9 && code <= 0xfffb;                              // interlinear annotation
}

void append_escaped(std::string& out, std::string_view bytes) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
  }
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

// The byte of a \xNN at the front of `text`.
std::optional<char> escaped_byte(std::string_view text) {
  if (text.size() < 4 || text[0] != '\\' || text[1] != 'x') return std::nullopt;
  const auto high = hex_digit(text[2]);
  const auto low = hex_digit(text[3]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>((*high << 4) | *low);
}

std::string escape(std::string_view text, Backslash backslash) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto character = first_character(text);
    const std::size_t bytes = character ? character->bytes : 1;
    const bool ambiguous = backslash == Backslash::kEscapeWhenAmbiguous && escaped_byte(text).has_value();
    if (!character || is_dangerous(character->code) || ambiguous) {
      append_escaped(out, text.substr(0, bytes));
    } else {
      out += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace

std::string terminal_safe(std::string_view text) {
  return escape(text, Backslash::kKeep);
}

std::string escape_line(std::string_view text) {
  return escape(text, Backslash::kEscapeWhenAmbiguous);
}

std::string unescape_line(std::string_view line) {
  std::string out;
  out.reserve(line.size());
  while (!line.empty()) {
    const auto byte = escaped_byte(line);
    out += byte ? *byte : line[0];
    line.remove_prefix(byte ? 4 : 1);
  }
  return out;
}

}  // namespace rowhouse
