#include "config/names.h"

#include <algorithm>

#include "config/characters.h"
#include "config/diagnostics.h"
#include "proto/limits.h"

namespace rowhouse::config {
namespace {

bool is_name_character(char c) {
  return is_lower(c) || is_digit(c) || c == '-';
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 2 && std::all_of(text.begin(), text.end(), is_digit) &&
         (text.size() == 1 || text[0] != '0');
}

}  // namespace

Parsed<std::string> parse_name(std::string_view text) {
  const bool valid = !text.empty() && text.size() <= proto::kMaxNameBytes && text[0] != '-' &&
                     std::all_of(text.begin(), text.end(), is_name_character);
  if (valid) return std::string(text);
  return Problem{
      "must be a name of 1 to 63 characters a-z, 0-9 and \"-\" that does not begin with \"-\", not " +
      quote(text)};
}

Parsed<std::string> parse_python_version(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos && is_number(text.substr(0, dot)) && is_number(text.substr(dot + 1))) {
    return std::string(text);
  }
  return Problem{"must be a Python version such as \"3.11\", not " + quote(text)};
}

Parsed<std::string> parse_environment_name(std::string_view text) {
  for (const std::string_view refused : {"LD_", "PYTHON", "ROWHOUSE_"}) {
    if (text.starts_with(refused)) {
      return Problem{"cannot be set: names that begin with LD_, PYTHON or ROWHOUSE_ are not the app's"};
    }
  }
  if (is_identifier(text)) return std::string(text);
  return Problem{"is no name of an environment variable: letters, digits and \"_\", not a digit first"};
}

}  // namespace rowhouse::config
