// The strict check of a whole request head, before any parser with more patience sees it (RFC 9112). Whatever
// another program on the way could read differently is refused, and the connection is closed.  What is
// accepted here is accepted by llhttp in strict mode with the same framing (tests/fuzz/fuzz_head.cc).
//
// Pure functions on borrowed bytes; nothing here allocates.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "gateway/authority.h"     // host_of_authority, for the head's authority
#include "gateway/request_line.h"  // HeadRefusal
#include "proto/limits.h"

namespace rowhouse::gateway {

inline constexpr std::size_t kMaxRequestLineBytes = proto::kMaxTargetBytes;  // without CRLF
inline constexpr std::size_t kMaxFieldLineBytes = proto::kMaxFieldBytes;     // without CRLF
inline constexpr std::size_t kMaxFieldSectionBytes = proto::kMaxHeadBytes;   // to the end of the head
// The longest block that find_head_end can ask to be collected: room for one more byte suffices to be told
// so.
inline constexpr std::size_t kMaxHeadBlockBytes = 2 + kMaxRequestLineBytes + 2 + kMaxFieldSectionBytes;

struct HeadField {
  std::string_view name;   // as received
  std::string_view value;  // without white space around it
};

enum class BodyFraming : std::uint8_t { kNone, kLength, kChunked };

// Everything is borrowed from the block, or is a literal.
struct CheckedHead {
  std::string_view method;
  std::string_view target;     // as received
  std::string_view path;       // of the target, raw; "/" for an absolute target without one; "*" for asterisk
  std::string_view query;      // raw, without "?"
  std::string_view authority;  // of the absolute target or of Host, well-formed, with port; empty only in
                               // HTTP/1.0 without Host, which no host answers for (421)
  std::uint8_t version = 11;   // 10 or 11
  std::span<const HeadField> fields;  // all of them, in order, also those that are dropped later
  BodyFraming framing = BodyFraming::kNone;
  std::uint64_t content_length = 0;  // kLength only; below 2^63
  bool keep_alive = false;           // what the client wants
  bool expect_continue = false;      // never without a body, never in HTTP/1.0
  bool offers_websocket = false;     // GET of HTTP/1.1 that offers to switch to WebSocket
  bool asterisk = false;             // OPTIONS *, or OPTIONS of an absolute target without a path
};

// Checks one complete block: at most one empty line, the request line, the field lines, the empty line.
// `room` holds the fields; a head with more of them is refused (431).  The other caps are find_head_end's,
// which measured the block.
[[nodiscard]] std::variant<CheckedHead, HeadRefusal> check_head(std::string_view block,
                                                                std::span<HeadField> room);

// Looks for the end of the head at the beginning of `input`: the bytes of the complete block; 0 when more are
// needed; or a refusal as soon as it is certain: a cap is passed (414, 431), a line end is not CRLF, the
// first line is none of HTTP/1.  `checked` is the size of `input` at an earlier call that answered 0, else 0.
// The verdict does not depend on how the input was split.
[[nodiscard]] std::variant<std::size_t, HeadRefusal> find_head_end(std::string_view input,
                                                                   std::size_t checked);

// Client fields that must not reach a worker: hop-by-hop, framing, Host, Expect, Proxy, what only a trusted
// proxy may say about the client, and every name with "_", which a worker could not tell from "-"
// (CVE-2015-7519).
[[nodiscard]] bool is_dropped_request_field(std::string_view lower_name);

}  // namespace rowhouse::gateway
