// How many workers: a small world in virtual time that does what Scaling wants.
#include <doctest/doctest.h>

#include <algorithm>

#include "supervisor/scaling.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using proto::Cause;
using proto::WorkerState;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr milliseconds kPulse{250};

// Starts what is wanted within max, as App does; a worker loads for `loading`.
struct World {
  ManualClock clock;
  Scaling scaling;
  ScalingRules rules;
  AppLook app;
  std::uint32_t last_id = 0;
  Duration loading = kPulse;
  std::vector<std::pair<std::uint32_t, Instant>> loads;
  std::vector<Leaving> left;
  std::size_t most = 0;

  explicit World(ScalingRules with, std::uint32_t workers) : rules(with) {
    scaling.begin(workers);
    for (std::uint32_t i = 0; i < workers; ++i) add(WorkerState::kReady);
  }

  WorkerLook& add(WorkerState state) {
    app.workers.push_back({.id = ++last_id, .state = state, .random = 0});
    if (state == WorkerState::kLoading) loads.emplace_back(last_id, clock.now() + loading);
    return app.workers.back();
  }
  WorkerLook& worker(std::uint32_t id) {
    const auto found = std::find_if(app.workers.begin(), app.workers.end(), [id](auto& w) { return w.id == id; });
    REQUIRE(found != app.workers.end());
    return *found;
  }
  std::size_t ready() const {
    return static_cast<std::size_t>(std::count_if(app.workers.begin(), app.workers.end(),
                                                  [](auto& w) { return w.state == WorkerState::kReady; }));
  }
  void die(std::uint32_t id) {
    std::erase_if(app.workers, [id](const auto& w) { return w.id == id; });
  }

  // One pulse: what leaves is gone at the next one.
  void pulse() {
    clock.advance(kPulse);
    std::erase_if(app.workers, [](const auto& w) { return w.state == WorkerState::kDraining; });
    for (const auto& [id, at] : loads) {
      for (WorkerLook& w : app.workers) {
        if (w.id == id && at <= clock.now() && w.state == WorkerState::kLoading) w.state = WorkerState::kReady;
      }
    }
    for (const Leaving& leaving : scaling.look(app, rules, clock.now())) {
      left.push_back(leaving);
      worker(leaving.worker).state = WorkerState::kDraining;
    }
    const auto staying = [this] {
      return std::count_if(app.workers.begin(), app.workers.end(),
                           [](auto& w) { return w.state < WorkerState::kDraining; });
    };
    while (staying() < scaling.wanted() && app.workers.size() < rules.max) add(WorkerState::kLoading);
    most = std::max(most, app.workers.size());
  }
  void pulses(int count) {
    for (int i = 0; i < count; ++i) pulse();
  }
};

ScalingRules between(std::uint32_t min, std::uint32_t max) {
  ScalingRules rules;
  rules.min = min;
  rules.max = max;
  rules.idle = seconds(10);
  return rules;
}

}  // namespace

TEST_CASE("a queue that lasts brings workers up to max and never beyond") {
  World world(between(1, 4), 1);
  world.app.queued = 5;
  world.pulses(40);
  CHECK(world.ready() == 4);
  CHECK(world.most == 4);
  CHECK(world.left.empty());
}

TEST_CASE("when max is lowered the newest go, one at each look, busy or not, and the rest stays") {
  World world(between(3, 3), 3);
  for (std::uint32_t id = 1; id <= 3; ++id) world.worker(id).in_flight = 1;
  world.rules.min = world.rules.max = 1;
  world.pulses(4);
  CHECK(world.left == std::vector<Leaving>{{3, Cause::kIdle}, {2, Cause::kIdle}});
  CHECK(world.ready() == 1);
  CHECK(world.scaling.wanted() == 1);
  world.pulses(20);
  CHECK(world.left.size() == 2);
}

TEST_CASE("when max is lowered while one is being replaced, no fewer than it allows are left") {
  World world(between(2, 3), 2);
  world.rules.max_requests = 100;
  world.worker(1).requests = 200;
  world.pulse();
  world.rules.min = 1, world.rules.max = 1;
  world.pulses(40);
  CHECK(world.ready() == 1);
}

TEST_CASE("one look at a queue brings nobody") {
  World world(between(1, 4), 1);
  for (int i = 0; i < 20; ++i) {
    world.app.queued = i % 2 == 0 ? 5 : 0;
    world.pulse();
  }
  CHECK(world.ready() == 1);
}

TEST_CASE("a queue that moves fast brings nobody, one that moves slowly does") {
  World fast(between(1, 4), 1);
  World slow(between(1, 4), 1);
  for (int i = 0; i < 20; ++i) {
    fast.app.queued = slow.app.queued = 10;
    fast.worker(1).requests += 1000;  // 10 waiting, 4,000 each second: 2.5 ms
    slow.worker(1).requests += 20;    // 10 waiting, 80 each second: 125 ms
    fast.pulse();
    slow.pulse();
  }
  CHECK(fast.ready() == 1);
  CHECK(slow.ready() == 4);
}

TEST_CASE("requests that wait inside a busy worker count as waiting") {
  World world(between(1, 2), 1);
  world.worker(1).in_flight = 2;  // one thread: the other waits
  world.pulses(4);
  CHECK(world.ready() == 2);
  World threads(between(1, 2), 1);
  threads.rules.threads = 2;
  threads.worker(1).in_flight = 2;
  threads.pulses(20);
  CHECK(threads.ready() == 1);
}

TEST_CASE("while one is on its way no other is asked for") {
  World world(between(1, 4), 1);
  world.loading = seconds(5);
  world.app.queued = 50;
  world.pulses(20);
  CHECK(world.app.workers.size() == 2);
}

TEST_CASE("workers beyond min leave after idle, the newest first, and min stay") {
  World world(between(1, 3), 3);
  world.pulses(4 * 10 + 1);
  CHECK(world.left == std::vector<Leaving>{{3, Cause::kIdle}});
  world.pulses(10);
  CHECK(world.left == std::vector<Leaving>{{3, Cause::kIdle}, {2, Cause::kIdle}});
  world.pulses(400);
  CHECK(world.left.size() == 2);
  CHECK(world.ready() == 1);
}

TEST_CASE("a worker that has requests, or had some lately, is not idle") {
  World world(between(0, 2), 2);
  world.worker(2).in_flight = 1;
  for (int i = 0; i < 400; ++i) {
    if (i % 8 == 0) ++world.worker(1).requests;
    world.pulse();
  }
  CHECK(world.left.empty());
}

TEST_CASE("with min 0 the last one leaves too, and a request brings one") {
  World world(between(0, 3), 1);
  world.pulses(42);
  CHECK(world.left == std::vector<Leaving>{{1, Cause::kIdle}});
  CHECK(world.scaling.wanted() == 0);
  world.scaling.want_one();
  world.scaling.want_one();
  CHECK(world.scaling.wanted() == 1);
  world.pulses(3);
  CHECK(world.ready() == 1);
  CHECK(world.most == 1);
}

TEST_CASE("nobody leaves while requests wait") {
  World world(between(0, 1), 1);
  world.app.queued = 1;
  world.pulses(400);
  CHECK(world.left.empty());
}

TEST_CASE("idle 0 sends nobody away") {
  ScalingRules rules = between(0, 2);
  rules.idle = Duration::zero();
  World world(rules, 2);
  world.pulses(4000);
  CHECK(world.left.empty());
}

TEST_CASE("a worker with enough requests is replaced, the new one first") {
  ScalingRules rules = between(1, 2);
  rules.max_requests = 1000;
  World world(rules, 1);
  world.worker(1).requests = 949;
  world.pulses(4);
  CHECK(world.last_id == 1);
  world.worker(1).requests = 950;  // the jitter of random 0 is 5 % less
  world.pulse();
  CHECK(world.app.workers.size() == 2);
  CHECK(world.left.empty());
  world.pulses(2);
  CHECK(world.left == std::vector<Leaving>{{1, Cause::kMaxRequests}});
  world.pulses(3);
  CHECK(world.ready() == 1);
  CHECK(world.scaling.wanted() == 1);
  CHECK(world.most == 2);
}

TEST_CASE("one that is told to leave is not replaced a second time, however much place there is") {
  ScalingRules rules = between(1, 3);
  rules.max_requests = 100;
  World world(rules, 1);
  for (std::uint32_t old = 1; old <= 3; ++old) {
    world.worker(old).requests = 200;
    world.pulses(6);
    CHECK(world.left.size() == old);
    CHECK(world.left.back() == Leaving{old, Cause::kMaxRequests});
    CHECK(world.last_id == old + 1);
    CHECK(world.ready() == 1);
    CHECK(world.scaling.wanted() == 1);
  }
}

TEST_CASE("one too many that is due leaves without a successor") {
  ScalingRules rules = between(1, 3);
  rules.max_requests = 100;
  World world(rules, 1);
  world.add(WorkerState::kReady);
  world.worker(1).requests = 200;
  world.pulses(3);
  CHECK(world.left == std::vector<Leaving>{{1, Cause::kMaxRequests}});
  CHECK(world.last_id == 2);
  CHECK(world.ready() == 1);
}

TEST_CASE("where max leaves no place the old one leaves first") {
  ScalingRules rules = between(2, 2);
  rules.max_requests = 100;
  World world(rules, 2);
  world.worker(1).requests = world.worker(2).requests = 200;
  world.pulse();
  CHECK(world.left == std::vector<Leaving>{{1, Cause::kMaxRequests}});
  world.pulses(1);
  CHECK(world.left.size() == 1);  // one after the other
  world.pulses(6);
  CHECK(world.left.size() == 2);
  CHECK(world.ready() == 2);
  CHECK(world.most == 2);
}

TEST_CASE("lifetime and memory end a worker too") {
  ScalingRules rules = between(1, 1);
  rules.max_lifetime = minutes(1);
  World world(rules, 1);
  world.pulses(4 * 57);
  CHECK(world.left.empty());
  world.pulse();
  CHECK(world.left == std::vector<Leaving>{{1, Cause::kMaxLifetime}});

  rules = between(1, 1);
  rules.max_memory_bytes = 100;
  World grown(rules, 1);
  grown.worker(1).memory_bytes = 99;
  grown.pulses(4);
  CHECK(grown.left.empty());
  grown.worker(1).memory_bytes = 100;
  grown.pulse();
  CHECK(grown.left == std::vector<Leaving>{{1, Cause::kMaxMemory}});
}

TEST_CASE("the jitter spreads the ends of workers over ten percent") {
  std::uint64_t least = ~0ULL, most = 0;
  for (std::uint32_t random = 0; random < 500; ++random) {
    ScalingRules rules = between(1, 1);
    rules.max_requests = 1000;
    World world(rules, 1);
    world.worker(1).random = random;
    std::uint64_t at = 900;
    while (world.left.empty() && at < 1100) {
      world.worker(1).requests = ++at;
      world.pulse();
    }
    least = std::min(least, at);
    most = std::max(most, at);
  }
  CHECK(least == 950);
  CHECK(most == 1050);
}

TEST_CASE("a replacement whose old worker dies by itself adds nobody") {
  ScalingRules rules = between(1, 2);
  rules.max_requests = 100;
  World world(rules, 1);
  world.worker(1).requests = 200;
  world.pulse();
  CHECK(world.app.workers.size() == 2);
  world.die(1);
  world.pulses(5);
  CHECK(world.ready() == 1);
  CHECK(world.scaling.wanted() == 1);
  CHECK(world.left.empty());
}

TEST_CASE("a replacement that dies while it loads is tried again, and the old one stays until then") {
  ScalingRules rules = between(1, 2);
  rules.max_requests = 100;
  World world(rules, 1);
  world.loading = seconds(2);
  world.worker(1).requests = 200;
  world.pulse();
  world.die(2);
  world.pulses(4);
  CHECK(world.left.empty());
  CHECK(world.worker(1).state == WorkerState::kReady);
  world.pulses(12);
  CHECK(world.left == std::vector<Leaving>{{1, Cause::kMaxRequests}});
  CHECK(world.ready() == 1);
}

TEST_CASE("a clock that stands still wants nobody and sends nobody away") {
  World world(between(1, 4), 2);
  for (int i = 0; i < 100; ++i) (void)world.scaling.look(world.app, world.rules, world.clock.now());
  CHECK(world.scaling.wanted() == 2);
}
