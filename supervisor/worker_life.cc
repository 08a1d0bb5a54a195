#include "supervisor/worker_life.h"

namespace rowhouse::supervisor {
namespace {

using proto::WorkerState;

WorkerActions kill(WorkerLife& life) {
  life.pressure = Pressure::kKill;
  life.deadline.reset();  // from now on its end is awaited, which no time can stop
  return {.kill = true};
}

WorkerActions end(WorkerLife& life, Instant now, WorkerActions actions) {
  life.state = WorkerState::kDying;
  life.deadline = now + kStatusTime;
  return actions;
}

WorkerActions leave(WorkerLife& life, const WorkerTimes& times, Instant now, WorkerActions actions) {
  life.state = WorkerState::kDraining;
  life.pressure = Pressure::kDrain;
  life.deadline = now + times.graceful;
  actions.drain = true;
  return actions;
}

WorkerActions ask_for_stacks(WorkerLife& life, Instant now) {
  if (life.stacks_at) return {};
  life.stacks_at = now;
  return {.stacks = true};
}

WorkerActions leave_unready(WorkerLife& life) {
  life.state = WorkerState::kDraining;
  return kill(life);
}

WorkerActions step_spawning(WorkerLife& life, WorkerEvent event, Instant now) {
  switch (event) {
    case WorkerEvent::kBorn:
      life.state = WorkerState::kLoading;  // the deadline of the start goes on
      return {.go = true};
    case WorkerEvent::kLeave: return leave_unready(life);
    case WorkerEvent::kTimeOver: return kill(life);
    case WorkerEvent::kEnded: return end(life, now, {});
    case WorkerEvent::kReady:
    case WorkerEvent::kStuck:
    case WorkerEvent::kUnneeded: return {};
  }
  return {};
}

WorkerActions step_loading(WorkerLife& life, WorkerEvent event, Instant now) {
  switch (event) {
    case WorkerEvent::kReady:
      life.state = WorkerState::kReady;
      life.deadline.reset();
      life.stacks_at.reset();
      return {.announce = true};
    case WorkerEvent::kTimeOver:
      if (life.stacks_at) return kill(life);
      life.deadline = now + kStacksTime;
      return ask_for_stacks(life, now);
    case WorkerEvent::kLeave: return leave_unready(life);
    case WorkerEvent::kEnded: return end(life, now, {});
    case WorkerEvent::kBorn:
    case WorkerEvent::kStuck:
    case WorkerEvent::kUnneeded: return {};
  }
  return {};
}

WorkerActions step_ready(WorkerLife& life, WorkerEvent event, const WorkerTimes& times, Instant now) {
  switch (event) {
    case WorkerEvent::kLeave: return leave(life, times, now, {});
    case WorkerEvent::kStuck: return leave(life, times, now, ask_for_stacks(life, now));
    case WorkerEvent::kEnded: return end(life, now, {.lost = true});
    case WorkerEvent::kBorn:
    case WorkerEvent::kReady:
    case WorkerEvent::kUnneeded:
    case WorkerEvent::kTimeOver: return {};
  }
  return {};
}

WorkerActions press(WorkerLife& life, const WorkerTimes& times, Instant now) {
  if (life.pressure != Pressure::kDrain) return kill(life);
  life.pressure = Pressure::kTerminate;
  life.deadline = now + times.shutdown;
  return {.terminate = true};
}

WorkerActions step_draining(WorkerLife& life, WorkerEvent event, const WorkerTimes& times, Instant now) {
  switch (event) {
    case WorkerEvent::kStuck: return ask_for_stacks(life, now);
    case WorkerEvent::kUnneeded:
      // What keeps it is the stuck request alone, and its stacks have been written.
      if (life.pressure == Pressure::kKill || !life.stacks_at || now < *life.stacks_at + kStacksTime) return {};
      return kill(life);
    case WorkerEvent::kTimeOver: return press(life, times, now);
    case WorkerEvent::kEnded: return end(life, now, {.lost = true});
    case WorkerEvent::kBorn:
    case WorkerEvent::kReady:
    case WorkerEvent::kLeave: return {};
  }
  return {};
}

}  // namespace

WorkerLife new_worker_life(const WorkerTimes& times, Instant now) {
  WorkerLife life;
  life.deadline = now + times.startup;
  return life;
}

WorkerActions step(WorkerLife& life, WorkerEvent event, const WorkerTimes& times, Instant now) {
  if (event == WorkerEvent::kTimeOver && (!life.deadline || now < *life.deadline)) return {};
  switch (life.state) {
    case WorkerState::kSpawning: return step_spawning(life, event, now);
    case WorkerState::kLoading: return step_loading(life, event, now);
    case WorkerState::kReady: return step_ready(life, event, times, now);
    case WorkerState::kDraining: return step_draining(life, event, times, now);
    case WorkerState::kDying: break;
  }
  // Nothing but the last word about it is awaited.
  if (event != WorkerEvent::kTimeOver) return {};
  life.deadline.reset();
  return {.finish = true};
}

}  // namespace rowhouse::supervisor
