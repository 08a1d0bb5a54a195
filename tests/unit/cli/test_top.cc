#include <doctest/doctest.h>

#include "base/printable.h"
#include "cli/table.h"
#include "cli/top_table.h"

using namespace rowhouse::cli;
using nlohmann::json;

namespace {

json app(const char* name, std::uint64_t requests, std::uint64_t cpu_us, std::uint64_t epoch = 1) {
  const json made{{"tenant", "acme"},
          {"app", name},
          {"state", "running"},
          {"workers", {{{"state", "ready"}}, {{"state", "loading"}}}},
          {"workers_max", 2},
          {"usage",
           {{"cpu", {{"used_us", cpu_us}, {"limit_percent", 50}}},
            {"memory", {{"bytes", 64 << 20}, {"limit_bytes", nullptr}}},
            {"io", {{"read_bytes", 1000 * requests}, {"write_bytes", 0}}}}},
          {"traffic",
           {{"epoch", epoch},
            {"in_flight", 1},
            {"queued", 3},
            {"requests_by_class", {0, 0, requests, 0, 0, requests / 10}},
            {"latency_bounds_us", {1000, 10'000}},
            {"worker", {{"buckets", {0, requests, 0}}, {"sum_us", 5000 * requests}}},
            {"queue", {{"sum_us", 1000 * requests}}}}}};
  return json::parse(made.dump());  // its numbers are what a parser makes of them
}

json status(std::initializer_list<json> apps) {
  return {{"apps", json(apps)}};
}

}  // namespace

TEST_CASE("rates are differences over the time between two answers") {
  const auto rows = measure_top(status({app("site", 100, 1'000'000)}), status({app("site", 200, 2'000'000)}), 2);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].requests_per_s == doctest::Approx(55));  // 100 of 2xx and 10 of 5xx
  CHECK(rows[0].errors_per_s == doctest::Approx(5));
  CHECK(rows[0].cpu_percent == doctest::Approx(50));
  CHECK(rows[0].latency_ms == doctest::Approx(6));
  CHECK(rows[0].latency_p95_ms == doctest::Approx(1 + 9 * 0.95));
  CHECK(rows[0].io_bytes_per_s == doctest::Approx(50'000));
  CHECK(rows[0].workers_ready == 1);
  CHECK(rows[0].queued == 3);
}

TEST_CASE("counts of another epoch began at 0, and an app that is new has used nothing yet") {
  const auto again = measure_top(status({app("site", 100, 0, 1)}), status({app("site", 20, 0, 2)}), 1);
  CHECK(again[0].requests_per_s == doctest::Approx(22));
  const auto fresh = measure_top(json::object(), status({app("site", 20, 9'000'000)}), 1);
  CHECK(fresh[0].cpu_percent == 0);
}

TEST_CASE("answers that are not what they should be do no harm") {
  CHECK(measure_top(json(3), json("x"), 1).empty());
  const json odd = {{"apps", {1, {{"tenant", 5}}, {{"app", "a"}, {"traffic", {{"worker", 1}, {"requests_by_class", "x"}}}}}}};
  CHECK(measure_top(odd, odd, 1).size() == 2);
}

TEST_CASE("an order puts the most first, names decide where it is the same") {
  auto rows = measure_top(json::object(), status({app("b", 10, 0), app("a", 10, 0), app("c", 20, 0)}), 1);
  sort_top(rows, TopOrder::kRequests);
  CHECK(rows[0].app == "c");
  CHECK(rows[1].app == "a");
  sort_top(rows, TopOrder::kName);
  CHECK(rows[0].app == "a");
  CHECK(parse_top_order("memory") == TopOrder::kMemory);
  CHECK_FALSE(parse_top_order("beauty").has_value());
}

TEST_CASE("no line is longer than the terminal, and what a tenant wrote is escaped") {
  json hostile = app("site", 1'000'000, 1);
  hostile["app"] = "si\x1b[2Jte";
  hostile["state"] = "run\nning";
  const auto rows = measure_top(json::object(), status({hostile, app("a-name-of-an-app-that-does-not-end-soon-and-goes-on-for-sixty-bytes", 1, 1)}), 1);
  for (const std::size_t width : {20U, 40U, 79U, 80U, 119U, 120U, 200U}) {
    for (const std::string& line : render_top(rows, {width, false})) {
      CAPTURE(line);
      CHECK(display_width(line) <= width);
      CHECK(line.find('\x1b') == std::string::npos);
      CHECK(line.find('\n') == std::string::npos);
    }
  }
  CHECK(render_top(rows, {80, false})[0] == "APP                      STATE        REQ/S     P95  QUEUE    CPU    MEM    IO/S");
}
