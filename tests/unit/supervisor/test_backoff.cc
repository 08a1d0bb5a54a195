#include <doctest/doctest.h>

#include "supervisor/backoff.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
constexpr Backoff::Limits kLimits{milliseconds(100), seconds(60), seconds(30)};
constexpr std::uint32_t kNoJitter = 25;  // 75 + 25 = 100 %
}  // namespace

TEST_CASE("the first death is answered at once") {
  ManualClock clock;
  Backoff backoff(kLimits);
  CHECK(backoff.on_death(clock.now(), kNoJitter) == Duration::zero());
}

TEST_CASE("the delay doubles with every death in a row and ends at the longest") {
  ManualClock clock;
  Backoff backoff(kLimits);
  CHECK(backoff.on_death(clock.now(), kNoJitter) == Duration::zero());
  CHECK(backoff.on_death(clock.now(), kNoJitter) == milliseconds(100));
  CHECK(backoff.on_death(clock.now(), kNoJitter) == milliseconds(200));
  CHECK(backoff.on_death(clock.now(), kNoJitter) == milliseconds(400));
  for (int i = 0; i < 100; ++i) CHECK(backoff.on_death(clock.now(), kNoJitter) <= seconds(60));
  CHECK(backoff.on_death(clock.now(), kNoJitter) == seconds(60));
}

TEST_CASE("jitter stays between 75 and 125 percent") {
  for (std::uint32_t random = 0; random < 200; ++random) {
    Backoff backoff(kLimits);
    (void)backoff.on_death(Instant{}, random);
    const Duration delay = backoff.on_death(Instant{}, random);
    CHECK(delay >= milliseconds(75));
    CHECK(delay <= milliseconds(125));
  }
}

TEST_CASE("only sustained health makes the next death a first one") {
  ManualClock clock;
  Backoff backoff(kLimits);
  (void)backoff.on_death(clock.now(), kNoJitter);
  backoff.on_healthy(clock.now());
  clock.advance(seconds(29));
  CHECK(backoff.on_death(clock.now(), kNoJitter) == milliseconds(100));
  backoff.on_healthy(clock.now());
  clock.advance(seconds(30));
  CHECK(backoff.on_death(clock.now(), kNoJitter) == Duration::zero());
}

TEST_CASE("time that passes without health resets nothing") {
  ManualClock clock;
  Backoff backoff(kLimits);
  (void)backoff.on_death(clock.now(), kNoJitter);
  clock.advance(seconds(3600));
  CHECK(backoff.on_death(clock.now(), kNoJitter) == milliseconds(100));
}
