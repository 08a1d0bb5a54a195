#include <doctest/doctest.h>

#include <vector>

#include "gateway/conditions.h"

namespace rowhouse::gateway {
namespace {

// Modified Sun, 06 Nov 1994 08:49:37 GMT, looked at a day later.
constexpr Validators kNow{"\"tag\"", 784111777, 784111777 + 86400, 1000};

std::string condition(const std::vector<HeadField>& fields) {
  switch (evaluate_conditions(fields, kNow)) {
    case Condition::kSend:
      return "200";
    case Condition::kNotModified:
      return "304";
    case Condition::kFailed:
      return "412";
  }
  return "";
}

constexpr std::string_view kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr std::string_view kSame = "Sun, 06 Nov 1994 08:49:37 GMT";

TEST_CASE("If-None-Match compares tags weakly") {
  CHECK(condition({}) == "200");
  for (const std::string_view value :
       {"\"tag\"", "W/\"tag\"", "*", "\"a\", \"tag\"", "\"a\",W/\"tag\" , \"b\""}) {
    CAPTURE(value);
    CHECK(condition({{"If-None-Match", value}}) == "304");
  }
  for (const std::string_view value : {"\"other\"", "tag", "", "\"tag", "w/\"tag\"", "\"TAG\""}) {
    CAPTURE(value);
    CHECK(condition({{"if-none-match", value}}) == "200");
  }
  CHECK(condition({{"If-None-Match", "\"a\""}, {"If-None-Match", "\"tag\""}}) == "304");
}

TEST_CASE("If-Modified-Since counts only without If-None-Match") {
  CHECK(condition({{"If-Modified-Since", kSame}}) == "304");
  CHECK(condition({{"If-Modified-Since", kBefore}}) == "200");
  CHECK(condition({{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}) == "304");
  CHECK(condition({{"If-Modified-Since", "rubbish"}}) == "200");
  CHECK(condition({{"If-Modified-Since", kSame}, {"If-None-Match", "\"other\""}}) == "200");
}

TEST_CASE("If-Match and If-Unmodified-Since come first and fail with 412") {
  CHECK(condition({{"If-Match", "\"tag\""}}) == "200");
  CHECK(condition({{"If-Match", "*"}}) == "200");
  CHECK(condition({{"If-Match", "W/\"tag\""}}) == "412");
  CHECK(condition({{"If-Match", "\"x\""}, {"If-None-Match", "\"tag\""}}) == "412");
  CHECK(condition({{"If-Match", "\"tag\""}, {"If-None-Match", "\"tag\""}}) == "304");
  CHECK(condition({{"If-Unmodified-Since", kBefore}}) == "412");
  CHECK(condition({{"If-Unmodified-Since", kSame}}) == "200");
  CHECK(condition({{"If-Unmodified-Since", kBefore}, {"If-Match", "\"tag\""}}) == "200");
}

std::string describe(const std::variant<Whole, ByteRange, Unsatisfiable>& range) {
  if (std::holds_alternative<Whole>(range)) return "whole";
  if (std::holds_alternative<Unsatisfiable>(range)) return "416";
  const auto& part = std::get<ByteRange>(range);
  return std::to_string(part.first) + "+" + std::to_string(part.length);
}

TEST_CASE("a range is cut to the file") {
  const auto of = [](std::string_view text, std::uint64_t size) { return describe(parse_range(text, size)); };
  CHECK(of("0-0", 1000) == "0+1");
  CHECK(of("0-999", 1000) == "0+1000");
  CHECK(of("0-5000", 1000) == "0+1000");
  CHECK(of("999-", 1000) == "999+1");
  CHECK(of("-1", 1000) == "999+1");
  CHECK(of("-5000", 1000) == "0+1000");
  CHECK(of("1000-", 1000) == "416");
  CHECK(of("-0", 1000) == "416");
  CHECK(of("0-", 0) == "416");
  CHECK(of("-5", 0) == "416");
  CHECK(of("0-99999999999999999999999999", 1000) == "0+1000");
  CHECK(of("99999999999999999999999999-", 1000) == "416");
  CHECK(of("-99999999999999999999999999", 1000) == "0+1000");
  for (const std::string_view text :
       {"", "-", "5-4", "a-5", "5-a", "5", "0-1,2-3", "--5", "5--", "+1-2", " 1-2", "0x1-2"}) {
    CAPTURE(text);
    CHECK(of(text, 1000) == "whole");
  }
}

std::string describe(const std::variant<Whole, ByteRanges, Unsatisfiable>& ranges) {
  if (std::holds_alternative<Whole>(ranges)) return "whole";
  if (std::holds_alternative<Unsatisfiable>(ranges)) return "416";
  std::string text;
  const auto& all = std::get<ByteRanges>(ranges);
  for (std::size_t i = 0; i < all.count; ++i) {
    text += (i == 0 ? "" : " ") + std::to_string(all.parts[i].first) + "+" + std::to_string(all.parts[i].length);
  }
  return text;
}

TEST_CASE("several ranges: what the file lacks is left out, and what would be more than the file is refused") {
  const auto of = [](std::string_view text, std::uint64_t size) { return describe(parse_ranges(text, size)); };
  CHECK(of("0-1", 10) == "0+2");
  CHECK(of("0-1,4-5", 10) == "0+2 4+2");
  CHECK(of("0-1 , -2", 10) == "0+2 8+2");
  CHECK(of("0-1,20-", 10) == "0+2");
  CHECK(of("20-,30-", 10) == "416");
  CHECK(of("0-1,x", 10) == "whole");
  CHECK(of("0-1,", 10) == "whole");
  CHECK(of("0-,0-", 10) == "whole");
  CHECK(of("0-4,5-9", 10) == "0+5 5+5");
  std::string many = "0-0";
  for (int i = 1; i < 16; ++i) many += "," + std::to_string(i) + "-" + std::to_string(i);
  CHECK(of(many, 1000).starts_with("0+1 1+1 "));
  CHECK(of(many + ",16-16", 1000) == "whole");
}

TEST_CASE("Range counts in bytes, once, and only for the representation that If-Range names") {
  const auto of = [](const std::vector<HeadField>& fields) { return describe(select_ranges(fields, kNow)); };
  CHECK(of({}) == "whole");
  CHECK(of({{"Range", "bytes=1-2"}}) == "1+2");
  CHECK(of({{"RANGE", "Bytes= 1-2"}}) == "1+2");
  CHECK(of({{"Range", "items=1-2"}}) == "whole");
  CHECK(of({{"Range", "bytes 1-2"}}) == "whole");
  CHECK(of({{"Range", "bytes=0-,0-,0-"}}) == "whole");
  CHECK(of({{"Range", "bytes=1-2"}, {"If-Range", "\"tag\""}}) == "1+2");
  CHECK(of({{"Range", "bytes=1-2"}, {"If-Range", "W/\"tag\""}}) == "whole");
  CHECK(of({{"Range", "bytes=1-2"}, {"If-Range", "\"other\""}}) == "whole");
  CHECK(of({{"Range", "bytes=1-2"}, {"If-Range", kSame}}) == "1+2");
  CHECK(of({{"Range", "bytes=1-2"}, {"If-Range", kBefore}}) == "whole");
  Validators fresh = kNow;
  fresh.now_s = fresh.modified_s + 1;
  CHECK(describe(select_ranges(std::vector<HeadField>{{"Range", "bytes=1-2"}, {"If-Range", kSame}}, fresh)) ==
        "whole");
}

}  // namespace
}  // namespace rowhouse::gateway
