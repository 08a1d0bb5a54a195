// What live configuration decides from facts alone: when to look, which files changed, what a change takes.
#include <doctest/doctest.h>

#include "base/files.h"
#include "supervisor/look_schedule.h"
#include "supervisor/spec_change.h"
#include "supervisor/tenant_files.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using namespace std::chrono_literals;

namespace {

// Runs `step` every millisecond of `time` and returns how many looks began; each look takes 10 ms.
template <typename Step>
int count_looks(std::chrono::seconds time, LookResult result, Step step) {
  LookSchedule schedule;
  ManualClock clock;
  bool looking = false;
  Instant ends{};
  int looks = 0;
  schedule.on_order(clock.now());
  for (auto t = 0ms; t < time; t += 1ms, clock.advance(1ms)) {
    step(schedule, clock.now());
    if (looking && ends <= clock.now()) {
      schedule.on_done(clock.now(), result);
      looking = false;
    }
    const auto due = schedule.due();
    if (!due || *due > clock.now()) continue;
    ++looks;
    schedule.on_begun(clock.now());
    looking = true;
    ends = clock.now() + 10ms;
  }
  return looks;
}

AppSpec spec(std::string_view part) {
  AppSpec app;
  app.settings.name = proto::Name::cut("site");
  app.settings.request_ms = 1000;
  app.routes = {{"acme.example", ""}};
  app.worker_part = create_sealed_memory("part", as_bytes(part)).value();
  return app;
}

constexpr proto::FileIdentity kOld{1, 2, 3, 4, 5}, kNew{1, 2, 3, 4, 6};

}  // namespace

TEST_CASE("a thousand events or orders in a second lead to one look in two seconds") {
  CHECK(count_looks(20s, LookResult::kSettled, [](auto& schedule, Instant now) { schedule.on_event(now); }) <= 11);
  CHECK(count_looks(20s, LookResult::kSettled, [](auto& schedule, Instant now) { schedule.on_order(now); }) <= 11);
  CHECK(count_looks(20s, LookResult::kOpen, [](auto& schedule, Instant now) { schedule.on_order(now); }) >= 10);
}

TEST_CASE("without an event a settled manifest is left alone, an open one is looked at once a minute") {
  const auto nothing = [](LookSchedule&, Instant) {};
  CHECK(count_looks(300s, LookResult::kSettled, nothing) == 1);
  CHECK(count_looks(300s, LookResult::kOpen, nothing) == 5);
}

TEST_CASE("an order during a look is another look, and is known as such") {
  LookSchedule schedule;
  ManualClock clock;
  schedule.on_order(clock.now());
  schedule.on_begun(clock.now());
  CHECK_FALSE(schedule.ordered());
  schedule.on_order(clock.now());
  CHECK_FALSE(schedule.due());  // one look at a time
  schedule.on_done(clock.now(), LookResult::kSettled);
  CHECK(schedule.ordered());
  CHECK(schedule.due() == clock.now() + LookSchedule::kPause);
}

TEST_CASE("a listing tells what is new, changed and gone; a file that nothing is known of counts as changed") {
  const FileListing before{{"a", kOld}, {"b", kOld}, {"c", kOld}, {"fresh", {}}};
  const FileListing now{{"a", kOld}, {"b", kNew}, {"d", kNew}, {"fresh", {}}};
  const FileChanges changes = compare_listings(before, now);
  CHECK(changes.changed == std::vector<std::string>{"b", "d", "fresh"});
  CHECK(changes.removed == std::vector<std::string>{"c"});
  CHECK(compare_listings(now, now).changed == std::vector<std::string>{"fresh"});
}

TEST_CASE("nothing left of several files looks lost, the last one of all may be removed") {
  CHECK(looks_lost({{"a", kOld}, {"b", kOld}}, {}));
  CHECK_FALSE(looks_lost({{"a", kOld}}, {}));
  CHECK_FALSE(looks_lost({{"a", kOld}, {"b", kOld}}, {{"a", kOld}}));
  CHECK_FALSE(looks_lost({}, {}));
}

TEST_CASE("of a share a change of any app counts, and other apps are another share") {
  const auto share = [](std::uint32_t request_ms, std::uint32_t threads) {
    AppSpec both = spec("x");
    AppFront& other = both.others.emplace_back();
    other.settings.name = proto::Name::cut("zoo");
    other.settings.request_ms = request_ms;
    other.settings.threads = threads;
    return both;
  };
  CHECK(compare_specs(share(1, 1), share(1, 1)) == SpecChange::kNone);
  CHECK(compare_specs(share(1, 1), share(2, 1)) == SpecChange::kLive);
  CHECK(compare_specs(share(1, 1), share(1, 2)) == SpecChange::kRestart);
  CHECK(compare_specs(share(1, 1), spec("x")) == SpecChange::kRestart);
  CHECK_FALSE(same_apps(share(1, 1), spec("x")));
}

TEST_CASE("what gateways and limits know changes live, what a worker is started with needs a generation") {
  CHECK(compare_specs(spec("x"), spec("x")) == SpecChange::kNone);
  CHECK(same_worker_part(spec("x"), spec("x")));
  CHECK_FALSE(same_worker_part(spec("x"), spec("y")));
  AppSpec other = spec("x");
  other.routes.push_back({"shop.example", ""});
  CHECK(compare_specs(spec("x"), other) == SpecChange::kLive);
  other = spec("x");
  other.settings.request_ms = 2000;
  CHECK(compare_specs(spec("x"), other) == SpecChange::kLive);
  // How many workers and how each is looked after: decided anew several times a second.
  for (const auto change : std::initializer_list<void (*)(proto::AppRecord&)>{
           [](proto::AppRecord& app) { app.workers_min = 0; },
           [](proto::AppRecord& app) { app.workers_max = 4; },
           [](proto::AppRecord& app) { app.idle_ms = 1000; },
           [](proto::AppRecord& app) { app.max_requests = 10; },
           [](proto::AppRecord& app) { app.max_lifetime_ms = 10'000; },
           [](proto::AppRecord& app) { app.max_memory_bytes = 1 << 26; },
           [](proto::AppRecord& app) { app.health_path = proto::Path::cut("/healthz"); },
           [](proto::AppRecord& app) { app.health_interval_ms = 1000; },
           [](proto::AppRecord& app) { app.health_ms = 1000; },
       }) {
    other = spec("x");
    change(other.settings);
    CHECK(compare_specs(spec("x"), other) == SpecChange::kLive);
  }
  other = spec("x");
  other.settings.retry = proto::RetryPolicy::kIdempotent;
  CHECK(compare_specs(spec("x"), other) == SpecChange::kLive);
  other = spec("x");
  other.gateway_part = create_sealed_memory("gateway", as_bytes("a page")).value();
  CHECK(compare_specs(spec("x"), other) == SpecChange::kLive);
  AppSpec like = spec("x");
  like.gateway_part = create_sealed_memory("gateway", as_bytes("a page")).value();
  CHECK(compare_specs(like, other) == SpecChange::kNone);
  like.gateway_part = create_sealed_memory("gateway", as_bytes("its page")).value();
  CHECK(compare_specs(like, other) == SpecChange::kLive);
  other = spec("x");
  other.settings.preload = true;
  CHECK(compare_specs(spec("x"), other) == SpecChange::kRestart);
  other = spec("x");
  other.settings.threads = 4;
  CHECK(compare_specs(spec("x"), other) == SpecChange::kRestart);
  other = spec("x");
  other.settings.python = proto::Text<15>::cut("3.12");
  CHECK(compare_specs(spec("x"), other) == SpecChange::kRestart);
  // Directories are descriptors: they are told again whenever there are any.
  other = spec("x");
  other.statics.push_back({"/static/", UniqueFd()});
  AppSpec same = spec("x");
  same.statics.push_back({"/static/", UniqueFd()});
  CHECK(compare_specs(other, same) == SpecChange::kLive);
}

TEST_CASE("a tenant's entry is replaced in its place and gives up what it no longer claims") {
  TenantIndex index;
  TenantEntry acme;
  acme.name = "acme";
  acme.uid = acme.gid = 3000;
  acme.domains = {{"a.example", false}, {"b.example", false}};
  index.add(acme);
  const TenantEntry* place = &index.all().at("acme");
  acme.domains = {{"b.example", false}};
  index.add(acme);
  CHECK(place == &index.all().at("acme"));
  CHECK(place->domains.size() == 1);
  CHECK(index.owner_of_domain({"a.example", false}).empty());
  CHECK(index.owner_of_domain({"b.example", false}) == "acme");
  index.remove("acme");
  CHECK(index.all().empty());
  CHECK(index.owner_of_uid(3000).empty());
  CHECK(index.owner_of_domain({"b.example", false}).empty());
}
