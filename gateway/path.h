// The one form of a request path.  Routing, static lookup, SCRIPT_NAME and PATH_INFO all use it, so that no
// two parts of the house can understand one path differently.  The raw target stays what the client sent.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace rowhouse::gateway {

// Decodes `raw_path` (the target without "?query") once, `%2F` to "/", then resolves dot segments and keeps
// repeated slashes (RFC 3986 5.2.4).  `out` is cleared first; on success it begins with "/" and is never
// longer than `raw_path`.  kInvalid, with `out` unspecified: not beginning with "/", "%" without two hex
// digits, `%00`, or a ".." that leaves the root. SECURITY: the result has no "." or ".." segment and no NUL
// (tests/fuzz/fuzz_path.cc).
Status normalise_path(std::string_view raw_path, std::string& out);

}  // namespace rowhouse::gateway
