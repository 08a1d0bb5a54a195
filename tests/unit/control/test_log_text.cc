#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/printable.h"
#include "control/access_line.h"
#include "control/line_splitter.h"
#include "control/log_line.h"
#include "control/timestamp.h"
#include "control/token_bucket.h"

using namespace rowhouse::control;
using namespace std::chrono_literals;

namespace {

struct Collector final : LineListener {
  void on_line(std::string_view line) override { lines.emplace_back(line); }
  void on_skipped(std::size_t bytes) override { skipped += bytes; }
  std::vector<std::string> lines;
  std::size_t skipped = 0;
};

}  // namespace

TEST_CASE("lines are the same however the bytes are split") {
  const std::string text = "one\n\ntwo\r\nthree";
  for (std::size_t split = 0; split <= text.size(); ++split) {
    Collector collector;
    LineSplitter splitter(collector);
    splitter.feed(text.substr(0, split));
    splitter.feed(text.substr(split));
    splitter.finish();
    CHECK(collector.lines == std::vector<std::string>{"one", "", "two", "three"});
  }
}

TEST_CASE("a line of exactly the cap is whole, one byte more is cut and counted") {
  Collector collector;
  LineSplitter splitter(collector);
  const std::string full(LineSplitter::kMaxLineBytes, 'x');
  splitter.feed(full + "\n" + full + "y");
  splitter.feed("zz\nnext\n");
  REQUIRE(collector.lines.size() == 3);
  CHECK(collector.lines[0] == full);
  CHECK(collector.lines[1] == full + " [line cut]");
  CHECK(collector.lines[2] == "next");
  CHECK(collector.skipped == 3);
}

TEST_CASE("an endless line is shown before it ends and holds bounded memory") {
  Collector collector;
  LineSplitter splitter(collector);
  for (int i = 0; i < 1000; ++i) splitter.feed(std::string(65536, 'x'));
  CHECK(collector.lines.size() == 1);
  splitter.finish();
  CHECK(collector.lines.size() == 1);
  CHECK(collector.skipped == 1000u * 65536 - LineSplitter::kMaxLineBytes);
}

TEST_CASE("a stored line comes back as it was") {
  const LogLine line{LogStream::kRowhouse, "2026-01-31T23:59:59.042Z", 3, 2, "worker 2 died: RH-EXIT 1"};
  const std::string stored = format_log_line(line);
  CHECK(stored == "2026-01-31T23:59:59.042Z worker[3.2] rowhouse: worker 2 died: RH-EXIT 1\n");
  const auto back = parse_log_line(std::string_view(stored).substr(0, stored.size() - 1));
  REQUIRE(back);
  CHECK(back->stream == LogStream::kRowhouse);
  CHECK(back->at == line.at);
  CHECK(back->generation == 3);
  CHECK(back->worker == 2);
  CHECK(back->text == line.text);
}

TEST_CASE("what is no stored line is none") {
  for (const char* bad :
       {"", "x", "T worker[1.2]", "T worker[1] stderr x", "T worker[a.b] stderr x", "T worker[1.2] stdout x",
        "T worker[1.2 stderr x", "T worker[99999999999.2] stderr x"}) {
    CHECK_FALSE_MESSAGE(parse_log_line(bad), bad);
  }
  REQUIRE(parse_log_line("T worker[1.2] stderr "));
  CHECK(parse_log_line("T worker[1.2] stderr ")->text.empty());
}

TEST_CASE("a line as JSON is one line of ASCII even if the file was tampered with") {
  const std::string json =
      log_line_json({LogStream::kStderr, "T", 1, 2, "\x1b[2J \xff \n gr\xc3\xbc\xc3\x9f"});
  CHECK(json.find('\n') == json.size() - 1);
  for (const char c : json) CHECK((c == '\n' || (c >= ' ' && c <= '~')));
  CHECK(nlohmann::json::parse(json)["text"] == "\\x1b[2J \\xff \\x0a gr\xc3\xbc\xc3\x9f");
}

TEST_CASE("times are written and read in UTC") {
  CHECK(format_rfc3339(1'700'000'000'042) == "2023-11-14T22:13:20.042Z");
  CHECK(format_rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(format_combined_time(1'700'000'000'042) == "14/Nov/2023:22:13:20 +0000");
  CHECK(rfc3339_from_combined(format_combined_time(1'700'000'000'042)) == "2023-11-14T22:13:20.000Z");
  CHECK(rfc3339_from_combined("nonsense").empty());
  CHECK(rfc3339_from_combined("14/Xxx/2023:22:13:20 +0000").empty());
  CHECK(rfc3339_from_combined("14/anF/2023:22:13:20 +0000").empty());
  CHECK_FALSE(format_rfc3339(INT64_MAX).empty());
  CHECK_FALSE(format_combined_time(INT64_MIN).empty());
}

TEST_CASE("an access line cannot be forged by any of its texts") {
  rowhouse::proto::AccessRecord record;
  record.method = record.target = record.host = record.remote_address = "a\" b\n\x1b\xff\\";
  record.referer = record.user_agent = record.request_id = record.method;
  const std::string line = format_access_line(record);
  for (const char c : line) CHECK((c >= ' ' && c <= '~'));
  // The quotes of the format itself: request, referer, user agent.
  CHECK(std::count(line.begin(), line.end(), '"') == 6);
  CHECK(line.find("a\\x22\\x20b\\x0a\\x1b\\xff\\x5c") == 0);
}

TEST_CASE("a budget passes its burst, then its rate, and stays shut until it has something to give") {
  rowhouse::ManualClock clock;
  TokenBucket bucket({1000, 5000, 500}, clock.now());
  CHECK(bucket.try_take(5000, clock.now()));
  CHECK_FALSE(bucket.try_take(1, clock.now()));
  clock.advance(400ms);
  CHECK_FALSE(bucket.try_take(1, clock.now()));
  clock.advance(100ms);
  CHECK(bucket.try_take(1, clock.now()));
  clock.advance(24h);
  CHECK(bucket.try_take(5000, clock.now()));
  CHECK_FALSE(bucket.try_take(1, clock.now()));
}

TEST_CASE("what was charged afterwards is paid back before anything passes") {
  rowhouse::ManualClock clock;
  TokenBucket bucket({10, 100, 1}, clock.now());
  bucket.charge(150, clock.now());
  CHECK_FALSE(bucket.try_take(1, clock.now()));
  clock.advance(5s);
  CHECK_FALSE(bucket.try_take(1, clock.now()));
  clock.advance(200ms);
  CHECK(bucket.try_take(1, clock.now()));
}

TEST_CASE("a budget that is asked all the time still fills") {
  rowhouse::ManualClock clock;
  TokenBucket bucket({1000, 1000, 10}, clock.now());
  CHECK(bucket.try_take(1000, clock.now()));
  for (int i = 0; i < 100'000; ++i) {
    clock.advance(1us);
    [[maybe_unused]] const bool taken = bucket.try_take(1'000'000, clock.now());
  }
  CHECK(bucket.try_take(90, clock.now()));
}
