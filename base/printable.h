// Foreign text made fit for one line of a log, for JSON and for a terminal.  Valid UTF-8 stays; everything
// that could end a line, move a cursor, recolour or reorder what stands beside it becomes \xNN, byte by byte:
// control characters (C0 except TAB, DEL, C1), bytes that are not UTF-8, line and paragraph separators, and
// the bidirectional and invisible format characters.
#pragma once

#include <string>
#include <string_view>

namespace rowhouse {

// For showing.  Backslashes stay, so `terminal_safe(terminal_safe(x)) == terminal_safe(x)`.
[[nodiscard]] std::string terminal_safe(std::string_view text);

// For storing: also reversible.  A backslash of the text that would read as the start of a \xNN is written
// \x5c.
[[nodiscard]] std::string escape_line(std::string_view text);

// The bytes that escape_line was given.
[[nodiscard]] std::string unescape_line(std::string_view line);

}  // namespace rowhouse
