#include <doctest/doctest.h>

#include "control/log_filter.h"

using namespace rowhouse::control;

namespace {

LogLine written(const char* text, const char* at = "2026-01-31T12:00:00.500Z") {
  return {LogStream::kStderr, at, 1, 1, text};
}

}  // namespace

TEST_CASE("the level of a line is its first word of Python's logging, a traceback's, a status's or a death's") {
  CHECK(level_of(written("plain words")) == LogLevel::kInfo);
  CHECK(level_of(written("2026-01-31 12:00:00,1 WARNING shop: stock is low")) == LogLevel::kWarning);
  CHECK(level_of(written("ERROR:root:after an INFO it is still one")) == LogLevel::kError);
  CHECK(level_of(written("[DEBUG] x")) == LogLevel::kDebug);
  CHECK(level_of(written("CRITICAL down")) == LogLevel::kCritical);
  CHECK(level_of(written("WARN x")) == LogLevel::kWarning);
  CHECK(level_of(written("INFORMATION and MYERROR_X are no such words")) == LogLevel::kInfo);
  CHECK(level_of(written("Traceback (most recent call last):")) == LogLevel::kError);
  CHECK(level_of(written((std::string(300, '.') + " ERROR").c_str())) == LogLevel::kInfo);
  CHECK(level_of({LogStream::kRowhouse, "", 1, 1, "worker 2 died: RH-EXIT 1"}) == LogLevel::kError);
  CHECK(level_of({LogStream::kRowhouse, "", 1, 1, "generation 1 is ready"}) == LogLevel::kInfo);
  const auto request = [](const char* text) { return level_of({LogStream::kAccess, "", 0, 0, text}); };
  CHECK(request(R"(192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /a HTTP/1.1" 200 512 "-")") == LogLevel::kInfo);
  CHECK(request(R"(192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /a HTTP/1.1" 404 512 "-")") == LogLevel::kWarning);
  CHECK(request(R"(192.0.2.1 - - [31/Jan/2026:23:59:59 +0000] "GET /a HTTP/1.1" 503 512 "-")") == LogLevel::kError);
}

TEST_CASE("times are said as a day, a second, a millisecond or so long ago, and nothing else") {
  constexpr std::int64_t kNow = 1'769'904'000'000;  // 2026-02-01T00:00:00Z
  CHECK(parse_log_time("2026-01-31", kNow) == "2026-01-31T00:00:00.000Z");
  CHECK(parse_log_time("2026-01-31T23:59:59Z", kNow) == "2026-01-31T23:59:59.000Z");
  CHECK(parse_log_time("2026-01-31T23:59:59.042Z", kNow) == "2026-01-31T23:59:59.042Z");
  CHECK(parse_log_time("90s", kNow) == "2026-01-31T23:58:30.000Z");
  CHECK(parse_log_time("2h", kNow) == "2026-01-31T22:00:00.000Z");
  CHECK(parse_log_time("1d", kNow) == "2026-01-31T00:00:00.000Z");
  for (const char* wrong : {"", "h", "2", "-2h", "2 h", "2w", "99999999999999999999d", "9999999d", "2026-1-31", "2026-99-99", "2026-02-30", "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z", "2026-01-31T23:59:59",
                            "2026-01-31T23:59:59+00:00", "yesterday"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_log_time(wrong, kNow));
  }
}

TEST_CASE("everything that is asked for must hold") {
  LogFilter filter;
  CHECK(filter.is_empty());
  CHECK(filter.wants(written("x")));
  filter.since = "2026-01-31T12:00:00.500Z";
  filter.until = "2026-01-31T12:00:00.501Z";
  CHECK(filter.wants(written("x")));
  CHECK_FALSE(filter.wants(written("x", "2026-01-31T12:00:00.501Z")));
  CHECK_FALSE(filter.wants(written("x", "2026-01-31T12:00:00.499Z")));
  filter.level = LogLevel::kWarning;
  filter.request = "r1";
  filter.text = "stock";
  CHECK_FALSE(filter.is_empty());
  CHECK(filter.wants(written("ERROR r1: stock")));
  CHECK_FALSE(filter.wants(written("INFO r1: stock")));
  CHECK_FALSE(filter.wants(written("ERROR r12: stock")));
  CHECK_FALSE(filter.wants(written("ERROR r1: stick")));
  CHECK(parse_log_level("critical") == LogLevel::kCritical);
  CHECK_FALSE(parse_log_level("CRITICAL"));
}
