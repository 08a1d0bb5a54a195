// What a configuration file does wrong: sentences with their places, collected so that one run tells an
// author everything, and bounded so that a hostile file cannot make the list grow.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rowhouse::config {

// Both count from 1; columns are bytes.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  friend auto operator<=>(const Position&, const Position&) = default;
};

inline constexpr std::size_t kMaxSentences = 20;

class Diagnostics {
 public:
  // Sentences beyond kMaxSentences are counted only.
  void add(Position position, std::string sentence);
  [[nodiscard]] bool empty() const { return found_.empty(); }
  // "FILE:LINE:COLUMN: sentence", one for each, in the order of the file.
  [[nodiscard]] std::vector<std::string> lines(std::string_view file) const;

 private:
  struct Found {
    Position position;
    std::string sentence;
  };
  std::vector<Found> found_;
  std::size_t left_out_ = 0;
};

// The lines that fit whole into `cap_bytes`, each with a line end.
[[nodiscard]] std::string join_lines(const std::vector<std::string>& lines, std::size_t cap_bytes);

// `text` in double quotes for a sentence, shortened to 80 bytes and without anything that could end the line
// or drive a terminal (base/printable.h).
[[nodiscard]] std::string quote(std::string_view text);

}  // namespace rowhouse::config
