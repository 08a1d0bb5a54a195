#include "cli/table.h"

#include <algorithm>

namespace rowhouse::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 16;  // of the last column, however narrow the terminal

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

std::string pad(const Cell& cell, std::size_t width, Align align, const Terminal& terminal) {
  const std::size_t taken = display_width(cell.text);
  const std::string spaces(width > taken ? width - taken : 0, ' ');
  const std::string text = terminal.paint(cell.text, cell.colour);
  return align == Align::kRight ? spaces + text : text + spaces;
}

void end_line(std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
  line += '\n';
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string cut_to_width(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  const std::string_view dots = std::string_view("...").substr(0, width);
  std::size_t end = 0;
  std::size_t characters = 0;
  for (; end < text.size(); ++end) {
    if (begins_character(text[end]) && characters++ == width - dots.size()) break;
  }
  return std::string(text.substr(0, end)).append(dots);
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  return widths;
}

std::string Table::render(const Terminal& terminal) const {
  const std::vector<std::size_t> wide = widths();
  std::size_t used = 0;
  for (std::size_t i = 0; i + 1 < wide.size(); ++i) used += wide[i] + kGap;
  const std::size_t last = terminal.width == 0
                               ? wide.back()
                               : std::max(kNarrowest, terminal.width - std::min(used, terminal.width));
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.push_back({column.title, Colour::kBold});
  std::string text;
  const auto add_line = [&](const std::vector<Cell>& cells) {
    std::string line;
    for (std::size_t i = 0; i + 1 < cells.size(); ++i) {
      line += pad(cells[i], wide[i], columns_[i].align, terminal) + std::string(kGap, ' ');
    }
    line += terminal.paint(cut_to_width(cells.back().text, last), cells.back().colour);
    end_line(line);
    text += line;
  };
  add_line(titles);
  for (const auto& row : rows_) add_line(row);
  return text;
}

}  // namespace rowhouse::cli
