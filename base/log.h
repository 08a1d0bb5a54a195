// The operator's log: one line of key=value pairs per event, written to stderr with one write(2), so that
// lines of several processes never mix.  Values that come from strangers are escaped here: no control byte,
// quote or line end of theirs reaches the log (THREATS S09).
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/result.h"

namespace rowhouse {

struct LogField {
  LogField(std::string_view name, std::string_view value) : key(name), text(value) {}
  LogField(std::string_view name, const char* value) : key(name), text(value) {}
  LogField(std::string_view name, const Error& error) : key(name), text(describe(error)) {}
  template <std::integral Integer>
  LogField(std::string_view name, Integer value) : key(name), text(std::to_string(value)) {}

  std::string_view key;
  std::string text;
};

// Names the program in every line; called once at start, with a literal.
void set_log_program(const char* program);

void log_info(std::string_view event, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view event, std::initializer_list<LogField> fields = {});
void log_error(std::string_view event, std::initializer_list<LogField> fields = {});

// `text` as one printable word, or in quotes with \xNN for bytes outside printable ASCII, `"` and `\`.
// At most 1,024 bytes of `text` are shown.
[[nodiscard]] std::string quote_log_value(std::string_view text);

}  // namespace rowhouse
