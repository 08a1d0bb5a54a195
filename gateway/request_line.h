// The request line: "method SP target SP version" (RFC 9112 3), with single spaces.  Used by head_rules only.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "proto/causes.h"

namespace rowhouse::gateway {

struct HeadRefusal {
  std::uint16_t status = 400;
  proto::Cause cause = proto::Cause::kBadRequest;
  const char* reason = "";  // a literal, for logs
};

struct RequestLine {
  std::string_view method;
  std::string_view target;
  std::string_view path;       // "/..."; "*" for asterisk
  std::string_view query;      // without "?"
  std::string_view authority;  // of an absolute target, well-formed; else empty
  std::uint8_t version = 11;   // 10 or 11
  bool asterisk = false;
};

// `line` is without its CRLF.  What is wrong first decides: the form of the line, the version, the method,
// the target.
[[nodiscard]] std::variant<RequestLine, HeadRefusal> parse_request_line(std::string_view line);

}  // namespace rowhouse::gateway
