// What a worker's response head must be before any byte of it reaches a client.  The worker is presumed
// hostile: a line end inside a value would forge a second response.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "proto/heads.h"

namespace rowhouse::gateway {

struct CheckedResponse {
  bool has_length = false;
  std::uint64_t length = 0;  // Content-Length as the app gave it; below 2^63
};

// kInvalid, for a 502: a status outside 200-599, a name that is not a token, a control byte in a value or in
// the reason, more than one Content-Length, or one that is not a plain decimal number (RFC 9110 5.5, 8.6).
[[nodiscard]] Result<CheckedResponse> check_response(const proto::ResponseHead& head);

// The same for the head of a tunnel, which has no Content-Length.
[[nodiscard]] Status check_tunnel(const proto::ResponseHead& head);

// Fields of the app that are not passed on: hop-by-hop and framing (the gateway frames; `Content-Length` is
// written again), Date and Server (the gateway's), Rowhouse-* (only a refusal of Rowhouse has them).  Any
// letter case.
[[nodiscard]] bool is_dropped_response_field(std::string_view name);

// "Not Found"; "Unknown" for a status without a standard phrase (RFC 9110 15, IANA).
[[nodiscard]] std::string_view standard_reason(std::uint16_t status);

}  // namespace rowhouse::gateway
