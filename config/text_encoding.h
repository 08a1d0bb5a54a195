// The bytes that a configuration file may consist of, checked before any parser sees them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/diagnostics.h"

namespace rowhouse::config {

struct EncodingProblem {
  Position position;
  std::string sentence;
};

// The first byte that is not UTF-8 (RFC 3629: no overlong forms, no surrogates), or a control character
// other than tab and line ends.
[[nodiscard]] std::optional<EncodingProblem> find_encoding_problem(std::string_view text);

}  // namespace rowhouse::config
