// What a client already has, and which part it wants: conditional requests and ranges (RFC 9110 13 and 14).
// Used by static_files.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "gateway/head_rules.h"

namespace rowhouse::gateway {

// What is compared with: one representation as it is now.
struct Validators {
  std::string_view etag;        // strong, with its quotes
  std::int64_t modified_s = 0;  // since 1970-01-01T00:00:00Z
  std::int64_t now_s = 0;
  std::uint64_t size = 0;
};

enum class Condition : std::uint8_t { kSend, kNotModified, kFailed };  // 200, 304, 412

// The preconditions of a GET or HEAD in the order of RFC 9110 13.2.2, If-Range excepted.  Dates that cannot
// be read are no condition.
[[nodiscard]] Condition evaluate_conditions(std::span<const HeadField> fields, const Validators& now);

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;  // at least 1
};
struct Whole {};
struct Unsatisfiable {};  // 416

inline constexpr std::size_t kMaxRanges = 16;
// At least one; those that the representation does not have are left out.
struct ByteRanges {
  std::array<ByteRange, kMaxRanges> parts;
  std::size_t count = 0;
};

// The parts that a GET asks for.  Whole without Range, for a Range that is malformed, of another unit, of more
// than kMaxRanges parts or of more bytes than the whole has, and when If-Range says that the client's parts
// are of another representation.
[[nodiscard]] std::variant<Whole, ByteRanges, Unsatisfiable> select_ranges(std::span<const HeadField> fields,
                                                                           const Validators& now);

// A list of what parse_range takes; without "bytes=".
[[nodiscard]] std::variant<Whole, ByteRanges, Unsatisfiable> parse_ranges(std::string_view text,
                                                                          std::uint64_t size);

// "0-499", "500-", "-500" of a representation of `size` bytes; without "bytes=".
[[nodiscard]] std::variant<Whole, ByteRange, Unsatisfiable> parse_range(std::string_view text,
                                                                        std::uint64_t size);

}  // namespace rowhouse::gateway
