// What is answered for a static file that was opened: preconditions, ranges, and the head.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/head_rules.h"
#include "gateway/static_files.h"

namespace rowhouse::gateway {

// A piece of the file, and what is written before it (the head of a part of multipart/byteranges).
struct FilePart {
  std::string before;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// What follows the head: `length` bytes of the file from `offset`, 0 for HEAD, 304, 412, 416; then `more` and
// `after`.  The file may have become shorter since: fewer bytes than that must end the connection visibly.
struct StaticPlan {
  std::uint16_t status = 200;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::vector<FilePart> more;  // of several ranges only; then `length` is 0
  std::string after;
  // All bytes of the body.
  [[nodiscard]] std::uint64_t body_bytes() const;
};

struct StaticTerms {
  std::string_view date;           // HTTP date of now
  std::string_view cache_control;  // empty: none
  AfterAnswer after = AfterAnswer::kKeepAlive;
};

// Appends the whole head of the answer: preconditions and ranges as RFC 9110 13.2.2 and 14.2 say.
// REQUIRES: is_static_method(head.method).
[[nodiscard]] StaticPlan append_static_head(std::string& out, const StaticFile& file, const CheckedHead& head,
                                            const StaticTerms& terms);

}  // namespace rowhouse::gateway
