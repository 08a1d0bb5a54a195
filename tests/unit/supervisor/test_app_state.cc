// The state of an app: every combination of what there can be.
#include <doctest/doctest.h>

#include "supervisor/app_state.h"

using namespace rowhouse::supervisor;
using State = rowhouse::proto::AppState;

TEST_CASE("the state of an app in every combination of facts") {
  for (int bits = 0; bits < 64; ++bits) {
    for (std::uint32_t ready = 0; ready <= 2; ++ready) {
      for (std::uint32_t min = 0; min <= 2; ++min) {
        AppFacts facts;
        facts.stopped = (bits & 1) != 0;
        facts.serving = (bits & 2) != 0;
        facts.next = (bits & 4) != 0;
        facts.backing_off = (bits & 8) != 0;
        facts.restart_failed = (bits & 16) != 0;
        facts.suspended = (bits & 32) != 0;
        facts.ready = ready;
        facts.min = min;
        const State state = app_state(facts);
        CAPTURE(bits);
        CAPTURE(ready);
        CAPTURE(min);
        CHECK((state == State::kSuspended) == facts.suspended);
        if (facts.suspended) continue;
        CHECK((state == State::kStopped) == facts.stopped);
        if (facts.stopped) continue;
        CHECK((state == State::kRestarting) == (facts.serving && facts.next));
        if (state == State::kRestarting) continue;
        const bool answers = facts.serving && ready > 0;
        CHECK((state == State::kRunning || state == State::kDegraded) == answers);
        if (answers) {
          CHECK((state == State::kDegraded) == (facts.restart_failed || ready < min));
          continue;
        }
        CHECK((state == State::kBackoff) == facts.backing_off);
        if (facts.backing_off) continue;
        CHECK((state == State::kIdle) == (!facts.serving && !facts.next && min == 0));
        CHECK((state == State::kIdle || state == State::kStarting));
      }
    }
  }
}
