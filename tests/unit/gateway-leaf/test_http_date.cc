#include <doctest/doctest.h>

#include "gateway/http_date.h"

namespace rowhouse::gateway {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;  // 2023

std::string format(std::int64_t seconds) {
  std::string out;
  append_http_date(out, seconds);
  return out;
}

TEST_CASE("dates are written in the fixed form") {
  CHECK(format(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format(951782399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(format(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(format(-5) == format(0));
  CHECK(format(INT64_MAX) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(format(kNow).size() == kHttpDateBytes);
}

TEST_CASE("all three forms are read") {
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow) == 784111777);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow) == 784111777);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", kNow) == 784111777);
  CHECK(parse_http_date("Wed Nov 16 08:49:37 1994", kNow) == 784111777 + 864000);
}

TEST_CASE("a year of two digits is never more than fifty years ahead") {
  CHECK(parse_http_date("Monday, 01-Jan-73 00:00:00 GMT", kNow) == 3250454400);  // 2073
  CHECK(parse_http_date("Monday, 01-Jan-74 00:00:00 GMT", kNow) == 126230400);   // 1974
}

TEST_CASE("what is written is read back") {
  for (std::int64_t seconds = 0; seconds < 253'402'300'799; seconds += 1'234'567'891) {
    REQUIRE(parse_http_date(format(seconds), kNow) == seconds);
  }
}

TEST_CASE("other texts are no dates") {
  for (const std::string_view text :
       {"", "yesterday", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 nov 1994 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 19x4 08:49:37 GMT", "784111777",
        "Sun Nov 6 08:49:37 1994"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text, kNow).has_value());
  }
}

}  // namespace
}  // namespace rowhouse::gateway
