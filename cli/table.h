// Tables for eyes: columns as wide as they need, two spaces between them, the last one cut at the terminal's
// edge.
#pragma once

#include <string>
#include <vector>

#include "cli/terminal.h"

namespace rowhouse::cli {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

struct Cell {
  std::string text;  // must be safe for a terminal
  Colour colour = Colour::kPlain;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // REQUIRES: one cell for each column.
  void add_row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  // All lines, each with its end, without spaces at the ends of lines.
  [[nodiscard]] std::string render(const Terminal& terminal) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Characters of UTF-8 text; each counts as one place.
[[nodiscard]] std::size_t display_width(std::string_view text);
// At most `width` characters; what is cut ends in "...".
[[nodiscard]] std::string cut_to_width(std::string_view text, std::size_t width);

}  // namespace rowhouse::cli
