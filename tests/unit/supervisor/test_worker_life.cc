// The life of a worker, in virtual time: every event in every state.
#include <doctest/doctest.h>

#include "supervisor/worker_life.h"

using namespace rowhouse;
using namespace rowhouse::supervisor;
using proto::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr WorkerTimes kTimes{seconds(15), seconds(10), seconds(5)};
constexpr WorkerActions kNothing{};

struct Life {
  ManualClock clock;
  WorkerLife life = new_worker_life(kTimes, clock.now());

  WorkerActions on(WorkerEvent event) { return step(life, event, kTimes, clock.now()); }
  WorkerActions after(Duration time) {
    clock.advance(time);
    return on(WorkerEvent::kTimeOver);
  }
};

Life in(WorkerState state) {
  Life made;
  if (state == WorkerState::kSpawning) return made;
  (void)made.on(WorkerEvent::kBorn);
  if (state == WorkerState::kLoading) return made;
  (void)made.on(WorkerEvent::kReady);
  if (state == WorkerState::kReady) return made;
  (void)made.on(WorkerEvent::kLeave);
  if (state == WorkerState::kDraining) return made;
  (void)made.on(WorkerEvent::kEnded);
  return made;
}

struct Row {
  WorkerState state;
  WorkerEvent event;
  WorkerState then;
  WorkerActions actions;
};

}  // namespace

TEST_CASE("every event in every state does what the picture says") {
  using enum WorkerState;
  using E = WorkerEvent;
  // kTimeOver here: before the deadline, which is never anything.
  const Row rows[] = {
      {kSpawning, E::kBorn, kLoading, {.go = true}},
      {kSpawning, E::kReady, kSpawning, kNothing},
      {kSpawning, E::kLeave, kDraining, {.kill = true}},
      {kSpawning, E::kStuck, kSpawning, kNothing},
      {kSpawning, E::kUnneeded, kSpawning, kNothing},
      {kSpawning, E::kTimeOver, kSpawning, kNothing},
      {kSpawning, E::kEnded, kDying, kNothing},
      {kLoading, E::kBorn, kLoading, kNothing},
      {kLoading, E::kReady, kReady, {.announce = true}},
      {kLoading, E::kLeave, kDraining, {.kill = true}},
      {kLoading, E::kStuck, kLoading, kNothing},
      {kLoading, E::kUnneeded, kLoading, kNothing},
      {kLoading, E::kTimeOver, kLoading, kNothing},
      {kLoading, E::kEnded, kDying, kNothing},
      {kReady, E::kBorn, kReady, kNothing},
      {kReady, E::kReady, kReady, kNothing},
      {kReady, E::kLeave, kDraining, {.drain = true}},
      {kReady, E::kStuck, kDraining, {.stacks = true, .drain = true}},
      {kReady, E::kUnneeded, kReady, kNothing},
      {kReady, E::kTimeOver, kReady, kNothing},
      {kReady, E::kEnded, kDying, {.lost = true}},
      {kDraining, E::kBorn, kDraining, kNothing},
      {kDraining, E::kReady, kDraining, kNothing},
      {kDraining, E::kLeave, kDraining, kNothing},
      {kDraining, E::kStuck, kDraining, {.stacks = true}},
      {kDraining, E::kUnneeded, kDraining, kNothing},
      {kDraining, E::kTimeOver, kDraining, kNothing},
      {kDraining, E::kEnded, kDying, {.lost = true}},
      {kDying, E::kBorn, kDying, kNothing},
      {kDying, E::kReady, kDying, kNothing},
      {kDying, E::kLeave, kDying, kNothing},
      {kDying, E::kStuck, kDying, kNothing},
      {kDying, E::kUnneeded, kDying, kNothing},
      {kDying, E::kTimeOver, kDying, kNothing},
      {kDying, E::kEnded, kDying, kNothing},
  };
  CHECK(std::size(rows) == 5 * 7);
  for (const Row& row : rows) {
    CAPTURE(static_cast<int>(row.state));
    CAPTURE(static_cast<int>(row.event));
    Life life = in(row.state);
    CHECK(life.life.state == row.state);
    CHECK((life.on(row.event) == row.actions));
    CHECK(life.life.state == row.then);
  }
}

TEST_CASE("a worker that is not born in time is killed") {
  Life life;
  CHECK((life.after(seconds(15) - milliseconds(1)) == kNothing));
  CHECK((life.after(milliseconds(1)) == WorkerActions{.kill = true}));
  CHECK_FALSE(life.life.deadline);
}

TEST_CASE("a worker that is not ready in time shows its stacks and is killed, counted from its start") {
  Life life;
  life.clock.advance(seconds(14));
  (void)life.on(WorkerEvent::kBorn);
  CHECK((life.after(seconds(1)) == WorkerActions{.stacks = true}));
  CHECK((life.after(kStacksTime - milliseconds(1)) == kNothing));
  CHECK((life.after(milliseconds(1)) == WorkerActions{.kill = true}));
}

TEST_CASE("a ready worker has no deadline") {
  Life life = in(WorkerState::kReady);
  CHECK_FALSE(life.life.deadline);
  CHECK((life.after(std::chrono::hours(1000)) == kNothing));
}

TEST_CASE("a worker that does not go by itself is terminated, then killed, within graceful and shutdown") {
  Life life = in(WorkerState::kDraining);
  CHECK((life.after(seconds(10) - milliseconds(1)) == kNothing));
  CHECK((life.after(milliseconds(1)) == WorkerActions{.terminate = true}));
  CHECK((life.on(WorkerEvent::kLeave) == kNothing));  // asking again gives it no more time
  CHECK((life.after(seconds(5)) == WorkerActions{.kill = true}));
  CHECK((life.after(std::chrono::hours(1)) == kNothing));
}

TEST_CASE("a stuck worker goes on for those who wait, and is killed when nobody does and its stacks are written") {
  Life life = in(WorkerState::kReady);
  CHECK((life.on(WorkerEvent::kStuck) == WorkerActions{.stacks = true, .drain = true}));
  CHECK((life.on(WorkerEvent::kStuck) == kNothing));  // once
  CHECK((life.on(WorkerEvent::kUnneeded) == kNothing));
  life.clock.advance(kStacksTime);
  CHECK((life.on(WorkerEvent::kUnneeded) == WorkerActions{.kill = true}));
  CHECK((life.on(WorkerEvent::kUnneeded) == kNothing));
}

TEST_CASE("a worker that leaves in order is not hurried by being unneeded") {
  Life life = in(WorkerState::kDraining);
  life.clock.advance(seconds(9));
  CHECK((life.on(WorkerEvent::kUnneeded) == kNothing));
}

TEST_CASE("the steward's last word is not awaited for ever") {
  Life life = in(WorkerState::kDying);
  CHECK((life.after(kStatusTime - milliseconds(1)) == kNothing));
  CHECK((life.after(milliseconds(1)) == WorkerActions{.finish = true}));
  CHECK((life.after(kStatusTime) == kNothing));
}
