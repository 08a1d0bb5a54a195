// Answers that the gateway gives in place of an app: a small page for people, JSON for programs.  Nothing
// that a client or a tenant sent appears in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/causes.h"

namespace rowhouse::gateway {

struct ErrorAnswer {
  std::uint16_t status = 500;
  proto::Cause cause = proto::Cause::kNone;  // kNone: no Rowhouse-Cause field
  std::uint64_t error_id = 0;                // 0: no Rowhouse-Error field
  std::uint32_t retry_after_s = 0;           // 0: no Retry-After field
  bool close = false;
  bool head_only = false;  // the request was HEAD
  bool json = false;
  std::string_view date;  // HTTP date
  const std::string* page = nullptr;  // the tenant's own HTML
};

// Appends a whole HTTP/1.1 response.  A 405 names the methods that may be used (RFC 9110 15.5.6): GET and
// HEAD for kForbidden (static files), else those that are not CONNECT.
void append_error_answer(std::string& out, const ErrorAnswer& answer);

// True when an Accept value asks for JSON and not for HTML.
[[nodiscard]] bool prefers_json(std::string_view accept);

// Random, never 0; shown as 16 hex digits.
[[nodiscard]] std::uint64_t next_error_id();

}  // namespace rowhouse::gateway
