#include <doctest/doctest.h>

#include "supervisor/start_bucket.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr StartBucket::Size kSize{16, 8, 8};

int take_all(StartBucket& bucket, StartKind kind, Instant now) {
  int taken = 0;
  while (bucket.try_take(kind, now)) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("a full bucket gives background starts all but the reserve, then a steady stream") {
  ManualClock clock;
  StartBucket bucket(kSize, clock.now());
  CHECK(take_all(bucket, StartKind::kBackground, clock.now()) == 8);
  for (int second = 0; second < 100; ++second) {
    clock.advance(seconds(1));
    CHECK(take_all(bucket, StartKind::kBackground, clock.now()) == 8);
  }
}

TEST_CASE("a thousand background starts take their time, and one that somebody waits for none") {
  ManualClock clock;
  StartBucket bucket(kSize, clock.now());
  int started = 0;
  const Instant begun = clock.now();
  while (started < 1000) {
    if (bucket.try_take(StartKind::kBackground, clock.now())) {
      ++started;
      continue;
    }
    if (started % 8 == 0) {
      REQUIRE(bucket.wait(StartKind::kDemanded, clock.now()) == Duration::zero());
    }
    clock.advance(bucket.wait(StartKind::kBackground, clock.now()));
  }
  const auto took = std::chrono::duration_cast<seconds>(clock.now() - begun);
  CHECK(took >= seconds((1000 - 8) / 8));
  CHECK(took <= seconds((1000 - 8) / 8 + 2));
}

TEST_CASE("demanded starts may use up everything") {
  ManualClock clock;
  StartBucket bucket(kSize, clock.now());
  CHECK(take_all(bucket, StartKind::kDemanded, clock.now()) == 16);
  CHECK_FALSE(bucket.try_take(StartKind::kBackground, clock.now()));
  CHECK(bucket.wait(StartKind::kDemanded, clock.now()) == milliseconds(125));
  CHECK(bucket.wait(StartKind::kBackground, clock.now()) == milliseconds(9 * 125));
  clock.advance(milliseconds(125) - Duration(1));
  CHECK_FALSE(bucket.try_take(StartKind::kDemanded, clock.now()));
  clock.advance(Duration(1));
  CHECK(bucket.try_take(StartKind::kDemanded, clock.now()));
}

TEST_CASE("a long sleep fills the bucket and no more, and time that stands still or goes back gives nothing") {
  ManualClock clock;
  StartBucket bucket(kSize, clock.now());
  CHECK(take_all(bucket, StartKind::kDemanded, clock.now()) == 16);
  CHECK(take_all(bucket, StartKind::kDemanded, clock.now()) == 0);
  CHECK(take_all(bucket, StartKind::kDemanded, clock.now() - seconds(10)) == 0);
  clock.advance(std::chrono::hours(24 * 365));
  CHECK(take_all(bucket, StartKind::kDemanded, clock.now()) == 16);
}
