#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "control/meters.h"
#include "control/metrics_text.h"
#include "control/usage_json.h"
#include "control/usage_period.h"
#include "control/usage_store.h"

using namespace rowhouse;
using namespace rowhouse::control;

namespace {

constexpr std::int64_t kNoon = 1'790'856'000;  // 2026-10-01T12:00:00Z

std::uint64_t grow(Meter& meter, Meter::Source source, std::uint64_t epoch, std::uint64_t reading) {
  Counts grown{};
  const std::array<std::uint64_t, 1> readings{reading};
  meter.advance(source, epoch, kCpuCount, readings, grown);
  return grown[kCpuCount];
}

AppStatus sample(std::uint64_t requests, std::uint64_t epoch = 1) {
  AppStatus status;
  status.info.tenant = proto::Name::cut("acme");
  status.info.name = proto::Name::cut("site");
  status.info.app = 7;
  status.info.state = proto::AppState::kRunning;
  status.workers.resize(2);
  for (proto::WorkerInfo& worker : status.workers) worker.state = proto::WorkerState::kReady;
  status.traffic.emplace();
  status.traffic->epoch = epoch;
  status.traffic->in_flight = 1;
  status.traffic->set_count(proto::kClassCounts + 2, requests);
  status.traffic->set_count(proto::kBytesOutCount, 100 * requests);
  status.traffic->set_count(proto::refusal_count(proto::Cause::kRate), requests / 2);
  status.traffic->set_count(proto::kAppHistogram + 3, requests);
  status.traffic->set_count(proto::kAppHistogram + proto::kLatencyBuckets, 1'500'000);
  return status;
}

proto::TenantUsage tenant_sample(std::uint64_t cpu_us, std::uint64_t memory_bytes, std::uint64_t epoch = 1) {
  proto::TenantUsage told;
  told.tenant = proto::Name::cut("acme");
  told.usage.cpu_us = cpu_us;
  told.usage.memory_bytes = memory_bytes;
  told.usage.epoch = epoch;
  told.usage.cpu_percent = 50;
  return told;
}

proto::Death death(proto::Cause cause, std::uint32_t worker) {
  proto::Death told;
  told.app = 7;
  told.generation = 1;
  told.worker = worker;
  told.cause = cause;
  told.at_ms = kNoon * 1000;
  return told;
}

const Bill& only_bill(const Meters& meters) {
  REQUIRE(meters.unwritten().bills.size() == 1);
  return meters.unwritten().bills.begin()->second;
}

struct Place {
  Place() {
    char name[] = "/tmp/rowhouse-usage-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Place() { std::filesystem::remove_all(path); }
  [[nodiscard]] UniqueFd open() const { return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); }
  std::string path;
};

Bill total_of(UsageStore& store, UsageStep step = UsageStep::kTotal) {
  auto rows = store.read({kNoon, kNoon + kDaySeconds, step, {}});
  REQUIRE(rows.ok());
  Bill sum;
  for (const UsageRow& row : rows.value()) sum.add(row.bill);
  return sum;
}

}  // namespace

TEST_CASE("within an epoch a meter grows by the difference, and another one begins at 0") {
  Meter meter;
  CHECK(grow(meter, Meter::Source::kGroup, 5, 100) == 100);
  CHECK(grow(meter, Meter::Source::kGroup, 5, 100) == 0);
  CHECK(grow(meter, Meter::Source::kGroup, 5, 130) == 30);
  CHECK(grow(meter, Meter::Source::kGroup, 6, 40) == 40);
  CHECK(meter.totals()[kCpuCount] == 170);
}

TEST_CASE("a group that is half removed shows less, which is nothing new afterwards either") {
  Meter meter;
  CHECK(grow(meter, Meter::Source::kGroup, 5, 100) == 100);
  CHECK(grow(meter, Meter::Source::kGroup, 5, 20) == 0);
  CHECK(grow(meter, Meter::Source::kGroup, 5, 110) == 10);
  CHECK(grow(meter, Meter::Source::kGroup, 5, proto::kUnknownCount) == 0);
}

TEST_CASE("a counter without an epoch that shrank began anew, and is not counted twice") {
  Meter meter;
  CHECK(grow(meter, Meter::Source::kNone, 0, 9) == 9);
  CHECK(grow(meter, Meter::Source::kNone, 0, 4) == 0);
  CHECK(grow(meter, Meter::Source::kNone, 0, 6) == 2);
}

TEST_CASE("a meter survives its way through the database") {
  Meter meter;
  grow(meter, Meter::Source::kGroup, 77, 1'000'000);
  Counts grown{};
  meter.add(kEndingCounts + 3, grown);
  auto again = Meter::decode(meter.encode());
  REQUIRE(again.has_value());
  CHECK(again->totals() == meter.totals());
  CHECK(grow(*again, Meter::Source::kGroup, 77, 1'000'005) == 5);
  const std::string bytes = meter.encode();
  CHECK_FALSE(Meter::decode(bytes.substr(0, bytes.size() - 1)).has_value());
  CHECK_FALSE(Meter::decode(bytes + "x").has_value());
  CHECK_FALSE(Meter::decode("").has_value());
  CHECK_FALSE(Meter::decode(std::string(4000, '\xff')).has_value());
}

TEST_CASE("samples become the tenant's bill of the hour") {
  Meters meters;
  meters.take_app(sample(10), kNoon * 1000);
  meters.take_app(sample(14), kNoon * 1000 + 10'000);
  meters.take_tenant(tenant_sample(1'000'000, 1000), kNoon * 1000);
  meters.take_tenant(tenant_sample(3'000'000, 2000), kNoon * 1000 + 10'000);
  const Bill& bill = only_bill(meters);
  CHECK(meters.unwritten().bills.begin()->first == HourKey{kNoon, "acme"});
  CHECK(bill.requests == 14);
  CHECK(bill.bytes_out == 1400);
  CHECK(bill.cpu_us == 3'000'000);
  CHECK(bill.memory_byte_seconds == 20'000);
  CHECK(bill.memory_peak == 2000);
  CHECK(bill.workers_peak == 2);
  CHECK(bill.in_flight_peak == 1);
  CHECK(bill.faults.at("RH-RATE") == 7);
}

TEST_CASE("time in which nobody looked is not billed as memory") {
  Meters meters;
  meters.take_tenant(tenant_sample(0, 1000), kNoon * 1000);
  meters.take_tenant(tenant_sample(0, 1000), kNoon * 1000 + 50 * 60'000);
  CHECK(only_bill(meters).memory_byte_seconds == 1000 * Meters::kMaxGapMs / 1000);
  meters.take_tenant(tenant_sample(0, 1000), kNoon * 1000);  // the clock was put back
  CHECK(only_bill(meters).memory_byte_seconds == 1000 * Meters::kMaxGapMs / 1000);
}

TEST_CASE("a death that is told again is counted once, and a planned ending is no fault") {
  Meters meters;
  const AppName app{"acme", "site"};
  meters.add_death(app, death(proto::Cause::kOom, 1));
  meters.add_death(app, death(proto::Cause::kOom, 1));
  meters.add_death(app, death(proto::Cause::kOom, 2));
  meters.add_death(app, death(proto::Cause::kIdle, 3));
  CHECK(only_bill(meters).faults == std::map<std::string, std::uint64_t>{{"RH-OOM", 2}});
  CHECK(meters.apps().at(app).meter.totals()[kEndingCounts + static_cast<std::size_t>(proto::Cause::kIdle)] == 1);
}

TEST_CASE("an app that no round has seen any more is forgotten, its bill is not") {
  Meters meters;
  Registry registry;
  registry.set_tenant("acme", 1001);
  meters.take_app(sample(10), kNoon * 1000);
  meters.end_round(registry);
  CHECK(meters.apps().begin()->second.sampled);
  meters.end_round(registry);
  CHECK_FALSE(meters.apps().begin()->second.sampled);
  CHECK(meters.tenants().at("acme").workers == 0);
  CHECK(only_bill(meters).requests == 10);
  registry.remove_tenant("acme");
  for (std::uint64_t round = 0; round < Meters::kRememberedRounds; ++round) meters.end_round(registry);
  CHECK(meters.apps().empty());
  CHECK(meters.tenants().empty());
  CHECK(only_bill(meters).requests == 10);
}

TEST_CASE("a tenant that renames its app for ever is not remembered for ever") {
  Meters meters;
  Registry registry;
  registry.set_tenant("acme", 1001);
  for (int name = 0; name < 500; ++name) {
    AppStatus status = sample(1);
    status.info.name = proto::Name::cut("app-" + std::to_string(name));
    meters.take_app(status, kNoon * 1000);
    meters.end_round(registry);
  }
  CHECK(meters.apps().size() <= Meters::kRememberedApps + 1);
  CHECK(only_bill(meters).requests == 500);
}

TEST_CASE("what was committed is there after a restart, and nothing is counted twice") {
  const Place place;
  {
    UsageStore store;
    Meters meters;
    REQUIRE(store.open(place.open()).ok());
    REQUIRE(store.load(meters).ok());
    meters.take_app(sample(10), kNoon * 1000);
    meters.take_tenant(tenant_sample(5'000'000, 1000), kNoon * 1000);
    meters.add_death({"acme", "site"}, death(proto::Cause::kOom, 1));
    REQUIRE(store.commit(meters, kNoon * 1000).ok());
    meters.set_written();
    meters.take_app(sample(12), kNoon * 1000);  // lost with this program
  }
  UsageStore store;
  Meters meters;
  REQUIRE(store.open(place.open()).ok());
  REQUIRE(store.load(meters).ok());
  meters.add_death({"acme", "site"}, death(proto::Cause::kOom, 1));
  meters.take_app(sample(15), kNoon * 1000 + 3'600'000);
  meters.take_tenant(tenant_sample(6'000'000, 1000), kNoon * 1000 + 3'600'000);
  REQUIRE(store.commit(meters, kNoon * 1000).ok());
  const Bill total = total_of(store);
  CHECK(total.requests == 15);
  CHECK(total.cpu_us == 6'000'000);
  CHECK(total.faults.at("RH-OOM") == 1);
  CHECK(total_of(store, UsageStep::kHour).requests == 15);
  auto hours = store.read({kNoon, kNoon + kDaySeconds, UsageStep::kHour, {}});
  REQUIRE(hours.value().size() == 2);
  CHECK(hours.value()[0].bill.requests == 10);
  CHECK(hours.value()[1].bill.requests == 5);
  CHECK(store.read({kNoon, kNoon + kDaySeconds, UsageStep::kTotal, {"globex"}}).value().empty());
}

TEST_CASE("a whole day and what is left at its ends are not counted twice") {
  const Place place;
  UsageStore store;
  Meters meters;
  REQUIRE(store.open(place.open()).ok());
  for (int hour = 0; hour < 72; ++hour) {
    meters.take_app(sample(static_cast<std::uint64_t>(hour) + 1), (kNoon + hour * kHourSeconds) * 1000);
  }
  REQUIRE(store.commit(meters, kNoon * 1000).ok());
  const auto requests = [&](std::int64_t from_hours, std::int64_t to_hours, UsageStep step) {
    auto rows = store.read({kNoon + from_hours * kHourSeconds, kNoon + to_hours * kHourSeconds, step, {}});
    Bill sum;
    for (const UsageRow& row : rows.value()) sum.add(row.bill);
    return sum.requests;
  };
  for (const UsageStep step : {UsageStep::kHour, UsageStep::kDay, UsageStep::kTotal}) {
    CHECK(requests(0, 72, step) == 72);
    CHECK(requests(3, 40, step) == 37);
    CHECK(requests(12, 36, step) == 24);
    CHECK(requests(13, 15, step) == 2);
  }
}

TEST_CASE("a damaged database is put aside and a new one begun") {
  const Place place;
  std::ofstream(place.path + "/usage.db") << std::string(8192, 'x');
  UsageStore store;
  REQUIRE(store.open(place.open()).ok());
  CHECK(std::filesystem::exists(place.path + "/usage.db.damaged"));
  Meters meters;
  CHECK(store.load(meters).ok());
  CHECK(total_of(store).requests == 0);
}

TEST_CASE("periods are half open and on full hours") {
  CHECK(parse_period("2026-10", kNoon) == UsagePeriod{1'790'812'800, 1'793'491'200});
  CHECK(parse_period("2026-12", kNoon)->to_s == *parse_hour("2027-01-01"));
  CHECK(parse_period("2026-10-01", kNoon) == UsagePeriod{1'790'812'800, 1'790'812'800 + kDaySeconds});
  CHECK(parse_period("24h", kNoon + 5) == UsagePeriod{kNoon + kHourSeconds - kDaySeconds, kNoon + kHourSeconds});
  CHECK(parse_period("1d", kNoon)->from_s == parse_period("24h", kNoon)->from_s);
  CHECK(parse_hour("2026-10-01T12:00:00Z") == kNoon);
  for (const char* wrong : {"", "2026", "2026-13", "2026-1", "2026-02-30", "0h", "-1h", "h", "99999h", "1w", "2026-10-", "+1h"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_period(wrong, kNoon).has_value());
  }
  for (const char* wrong : {"2026-10-01T12:30:00Z", "2026-10-01T24:00:00Z", "2026-10-01 12:00:00Z", "2026-10-01T12:00:00", "x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_hour(wrong).has_value());
  }
}

TEST_CASE("metrics are one block for each name, and a histogram is cumulative") {
  Meters meters;
  meters.take_app(sample(10), kNoon * 1000);
  meters.take_tenant(tenant_sample(1'250'000, 1000), kNoon * 1000);
  MetricsScope scope;
  scope.is_visible = [](const std::string& tenant) { return tenant == "acme"; };
  const std::string text = metrics_text(meters, scope);
  CHECK(text.find("rowhouse_app_requests_total{tenant=\"acme\",app=\"site\",class=\"2xx\"} 10\n") != std::string::npos);
  CHECK(text.find("rowhouse_app_worker_seconds_bucket{tenant=\"acme\",app=\"site\",le=\"0.002\"} 0\n") != std::string::npos);
  CHECK(text.find("rowhouse_app_worker_seconds_bucket{tenant=\"acme\",app=\"site\",le=\"0.01\"} 10\n") != std::string::npos);
  CHECK(text.find("rowhouse_app_worker_seconds_bucket{tenant=\"acme\",app=\"site\",le=\"+Inf\"} 10\n") != std::string::npos);
  CHECK(text.find("rowhouse_app_worker_seconds_sum{tenant=\"acme\",app=\"site\"} 1.500000\n") != std::string::npos);
  CHECK(text.find("rowhouse_tenant_cpu_seconds_total{tenant=\"acme\"} 1.250000\n") != std::string::npos);
  CHECK(text.find("rowhouse_info") == std::string::npos);
  scope.is_visible = [](const std::string&) { return false; };
  CHECK(metrics_text(meters, scope).find("acme") == std::string::npos);
}

TEST_CASE("usage says what was used, the limit and how often it was reached") {
  Meters meters;
  meters.take_tenant(tenant_sample(0, 1000), kNoon * 1000);
  UsageReport report{{kNoon, kNoon + kHourSeconds}, UsageStep::kTotal, kNoon + 2 * kHourSeconds, {}};
  Bill bill;
  bill.cpu_us = 360'000'000;
  bill.faults = {{kThrottledFault, 12}, {"RH-OOM", 1}};
  report.rows = {{"acme", kNoon, bill}};
  const std::string json = usage_json(report, meters);
  CHECK(json.find("\"cpu_percent\":{\"usage\":10.0,\"limit\":50,\"faults\":12}") != std::string::npos);
  CHECK(json.find("\"complete\":true") != std::string::npos);
  const std::string csv = usage_csv(report);
  CHECK(csv.find("acme,2026-10-01T12:00:00.000Z,2026-10-01T13:00:00.000Z,360.000000,0.000000,0,") != std::string::npos);
  CHECK(csv.find(",RH-OOM=1 cpu_throttled=12\r\n") != std::string::npos);
}
