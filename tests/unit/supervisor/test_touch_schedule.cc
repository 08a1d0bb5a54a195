// How often touches restart an app, in virtual time.
#include <doctest/doctest.h>

#include "supervisor/touch_schedule.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using namespace std::chrono_literals;

TEST_CASE("the first touch is due at once") {
  ManualClock clock;
  TouchSchedule touches;
  CHECK_FALSE(touches.due(clock.now()));
  touches.on_touched(3);
  CHECK(touches.due(clock.now()));
  touches.on_begun(clock.now());
  CHECK_FALSE(touches.due(clock.now()));
}

TEST_CASE("what was touched before the newest generation began is in it") {
  ManualClock clock;
  TouchSchedule touches;
  touches.on_touched(3);
  touches.forget_before(3);
  CHECK(touches.due(clock.now()));
  touches.forget_before(4);
  CHECK_FALSE(touches.due(clock.now()));
  touches.on_touched(4);
  touches.on_touched(3);
  touches.forget_before(4);
  CHECK(touches.due(clock.now()));
}

TEST_CASE("a storm of an hour is few restarts, and a quiet while makes the next touch quick again") {
  ManualClock clock;
  TouchSchedule touches;
  int restarts = 0;
  for (auto t = 0s; t < 3600s; t += 1s, clock.advance(1s)) {
    touches.on_touched(1);
    if (!touches.due(clock.now())) continue;
    ++restarts;
    touches.on_begun(clock.now());
  }
  CHECK(restarts >= 60);
  CHECK(restarts <= 65);
  clock.advance(2 * TouchSchedule::kLastPause);
  touches.on_touched(1);
  CHECK(touches.due(clock.now()));
  touches.on_begun(clock.now());
  touches.on_touched(1);
  clock.advance(TouchSchedule::kFirstPause);
  CHECK(touches.due(clock.now()));
}
