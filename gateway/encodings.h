// Which content codings a client takes (Accept-Encoding, RFC 9110 12.5.3), as far as we have them.
#pragma once

#include <cstdint>
#include <span>

#include "gateway/head_rules.h"

namespace rowhouse::gateway {

enum class Coding : std::uint8_t { kIdentity, kGzip, kBrotli };

struct Encodings {
  bool gzip = false;
  bool brotli = false;
  [[nodiscard]] bool any() const { return gzip || brotli; }
};

// What is named, or covered by "*", with a weight that is not 0.
[[nodiscard]] Encodings accepted_encodings(std::span<const HeadField> fields);

// Types that shrink: texts, and what is text inside (JSON, SVG ...).  Parameters are ignored.
[[nodiscard]] bool is_compressible(std::string_view content_type);

}  // namespace rowhouse::gateway
