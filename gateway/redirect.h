// Where a route sends its visitors instead of an app, as its tenant asks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/static_files.h"  // AfterAnswer

namespace rowhouse::gateway {

struct Redirect {
  std::uint16_t status = 0;  // 0: this route redirects nobody
  std::string target;        // absolute, or "/path"
  bool keep_path = true;     // what follows the route's prefix, and the query, is appended
};

// True when an answer can be made of it: the tenant's bytes are believed in nothing else.
[[nodiscard]] bool is_sound(const Redirect& redirect);

struct RedirectedRequest {
  std::string_view below;  // of the path in its normal form, what follows the route's prefix
  std::string_view query;  // raw
  AfterAnswer after = AfterAnswer::kKeepAlive;
  std::string_view date;
};

// Appends the whole answer.  SECURITY: `below` is percent-encoded again, so nothing in it can end the field
// or become a host (test: nothing of the path leaves its place).
void append_redirect(std::string& out, const Redirect& redirect, const RedirectedRequest& request);

}  // namespace rowhouse::gateway
