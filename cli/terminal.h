// What is at the other end of standard output.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rowhouse::cli {

enum class Colour { kPlain, kGreen, kYellow, kRed, kDim, kBold };

struct Terminal {
  std::size_t width = 0;  // 0: not a terminal, lines may have any length
  bool colours = false;

  // `text` in a colour, where colours are wanted.
  [[nodiscard]] std::string paint(std::string_view text, Colour colour) const;
};

// Of standard output.  Colours only on a terminal, and not when NO_COLOR is set (no-color.org) or TERM is
// dumb.
[[nodiscard]] Terminal look_at_terminal();

}  // namespace rowhouse::cli
