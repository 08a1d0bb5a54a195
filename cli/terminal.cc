#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

namespace rowhouse::cli {
namespace {

constexpr std::size_t kUsualWidth = 80;

const char* sequence_of(Colour colour) {
  switch (colour) {
    case Colour::kPlain: return "";
    case Colour::kGreen: return "\x1b[32m";
    case Colour::kYellow: return "\x1b[33m";
    case Colour::kRed: return "\x1b[31m";
    case Colour::kDim: return "\x1b[2m";
    case Colour::kBold: return "\x1b[1m";
  }
  return "";
}

bool wants_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool refused = no_color != nullptr && no_color[0] != '\0';
  return !refused && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

std::string Terminal::paint(std::string_view text, Colour colour) const {
  if (!colours || colour == Colour::kPlain) return std::string(text);
  return std::string(sequence_of(colour)).append(text).append("\x1b[0m");
}

Terminal look_at_terminal() {
  Terminal terminal;
  if (::isatty(STDOUT_FILENO) != 1) return terminal;
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  terminal.width = known ? size.ws_col : kUsualWidth;
  terminal.colours = wants_colours();
  return terminal;
}

}  // namespace rowhouse::cli
