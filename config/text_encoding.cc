#include "config/text_encoding.h"

#include "config/characters.h"

namespace rowhouse::config {
namespace {

unsigned byte_at(std::string_view text, std::size_t index) {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
}

bool are_continuations(std::string_view text, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return false;
  }
  return true;
}

// How many bytes the character at `index` has; 0 when it is not well-formed (RFC 3629 section 4).
std::size_t character_bytes(std::string_view text, std::size_t index) {
  const unsigned first = byte_at(text, index);
  const unsigned second = byte_at(text, index + 1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return are_continuations(text, index + 1, 1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return are_continuations(text, index + 1, 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && second < 0x90;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return are_continuations(text, index + 1, 3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool is_refused(char c) {
  return is_control(c) && c != '\t' && c != '\n' && c != '\r';
}

}  // namespace

std::optional<EncodingProblem> find_encoding_problem(std::string_view text) {
  Position position;
  for (std::size_t index = 0; index < text.size();) {
    const std::size_t bytes = character_bytes(text, index);
    if (bytes == 0) return EncodingProblem{position, "the file is not UTF-8 text"};
    if (is_refused(text[index])) return EncodingProblem{position, "the file has a control character here"};
    if (text[index] == '\n') {
      position = {position.line + 1, 1};
    } else {
      position.column += static_cast<std::uint32_t>(bytes);
    }
    index += bytes;
  }
  return std::nullopt;
}

}  // namespace rowhouse::config
