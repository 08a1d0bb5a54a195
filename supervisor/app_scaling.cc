// How many workers an app has: woken by a request, more of them while requests wait, fewer when they have nothing to
// do, each replaced when it has done enough.  The decisions are scaling.h's; here they are carried out.
#include <algorithm>

#include "base/log.h"
#include "supervisor/app.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::WorkerState;
using std::chrono::milliseconds;

// Memory is looked at every so many pulses: every 2 s.
constexpr std::uint32_t kPulsesForMemory = 8;

}  // namespace

void App::on_pulse() {
  if (serving_ == nullptr && next_ == nullptr && retired_.empty()) return;
  ++pulses_;
  for (Sandbox* sandbox : sandboxes()) {
    for (const auto& [id, worker] : sandbox->workers()) {
      if (worker->state() != WorkerState::kDraining || !worker->row()) continue;
      std::uint32_t awaited = 0;
      for (const std::uint32_t row : worker->rows()) awaited += around_.rows->worker_awaited(row);
      if (awaited == 0) worker->on_unneeded();
    }
  }
  check_health();
  scale();
  restart_if_touched();
}

void App::on_wanted() {
  if (held() || shutting_down_ || next_ != nullptr || retry_.active()) return;
  // Also one that stands in the host's queue since the boot: somebody waits for it now.
  if (serving_ == nullptr) return start_generation(StartKind::kDemanded);
  if (serving_->staying_workers() > 0) return;
  scaling_.want_one();
  top_up();
}

// Not while a restart is under way, also when it still waits for its turn: it decides how many there are.
void App::scale() {
  if (awaited_start_ == AwaitedStart::kGeneration) return;
  if (serving_ == nullptr || next_ != nullptr || held() || shutting_down_ || !serving_->standing()) return;
  const std::uint32_t before = scaling_.wanted();
  const std::vector<Leaving> leaving_now = scaling_.look(look_at_workers(), scaling_rules(), around_.clock->now());
  if (scaling_.wanted() != before) {
    remember();
    notice(proto::NoticeKind::kScaled, serving_->generation(), scaling_.wanted());
  }
  for (const Leaving& leaving : leaving_now) {
    if (scaling_.wanted() == 0) return fall_asleep();
    if (Worker* worker = serving_->find_worker(leaving.worker)) worker->leave(leaving.cause);
  }
  const bool missing = serving_->staying_workers() < scaling_.wanted();
  const bool place = serving_->workers().size() < spec_.settings.workers_max;
  if (missing && place && !retry_.active() && awaited_start_ == AwaitedStart::kNone) top_up();
}

AppLook App::look_at_workers() {
  AppLook look;
  look.queued = queued();
  const bool with_memory = spec_.settings.max_memory_bytes != 0 && pulses_ % kPulsesForMemory == 0;
  for (const auto& [id, worker] : serving_->workers()) {
    WorkerLook one;
    one.id = id;
    one.state = worker->state();
    one.random = worker->notes.random;
    one.ready_at = worker->ready_at();
    for (const std::uint32_t row : worker->rows()) {
      one.in_flight += around_.rows->worker_in_flight(row);
      one.requests += around_.rows->worker_requests(row);
    }
    if (with_memory && one.state == WorkerState::kReady) one.memory_bytes = worker->memory_bytes();
    look.workers.push_back(one);
  }
  return look;
}

ScalingRules App::scaling_rules() const {
  const proto::AppRecord& settings = spec_.settings;
  ScalingRules rules;
  rules.min = settings.workers_min;
  rules.max = settings.workers_max;
  rules.threads = 0;
  for (const AppFront* front : spec_.fronts()) rules.threads += front->settings.threads;
  if (serving_ != nullptr) {
    for (const auto& [id, worker] : serving_->workers()) rules.threads = std::max(rules.threads, places_of(*worker));
  }
  rules.idle = milliseconds(settings.idle_ms);
  rules.max_requests = settings.max_requests;
  rules.max_lifetime = milliseconds(settings.max_lifetime_ms);
  rules.max_memory_bytes = settings.max_memory_bytes;
  return rules;
}

// The last worker goes with its sandbox: a sleeping app has no process.  A request that comes meanwhile finds no
// worker, and its gateway says so.
void App::fall_asleep() {
  await_no_start();
  retry_.stop();
  give_up_next(Cause::kIdle);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kIdle);
  tell_condition();
}

// The time of a failed start or a dead worker is over.  An app that sleeps by rule is not tried again for nobody.
void App::on_retry() {
  const bool by_request = newest_spec().settings.workers_min == 0 && command_ == nullptr;
  const bool serves = serving_ != nullptr && serving_->staying_workers() > 0;
  if (by_request && !serves && queued() == 0) return fall_asleep();
  top_up();
}

void App::replace_lost() {
  if (!retry_.active()) try_again_later();
}

// As many as serve now, so that a switch takes no strength away.
std::size_t App::next_workers() const {
  const proto::AppRecord& settings = newest_spec().settings;
  const std::size_t now = serving_ == nullptr ? 0 : std::min<std::size_t>(serving_->ready_workers(), scaling_.wanted());
  return std::clamp<std::size_t>(now, std::max(settings.workers_min, 1U), settings.workers_max);
}

// --- the host's starts ---------------------------------------------------------------------------------------

bool App::may_start(AwaitedStart what, StartKind kind) {
  if (std::exchange(start_admitted_, false) || around_.starts->admit(*this, kind)) {
    awaited_start_ = AwaitedStart::kNone;
    return true;
  }
  // A generation brings its workers.
  if (awaited_start_ != AwaitedStart::kGeneration) awaited_start_ = what;
  return false;
}

void App::await_no_start() {
  around_.starts->cancel(*this);
  awaited_start_ = AwaitedStart::kNone;
}

void App::on_start_admitted() {
  start_admitted_ = true;
  const AwaitedStart what = std::exchange(awaited_start_, AwaitedStart::kNone);
  if (what == AwaitedStart::kGeneration) {
    start_generation(StartKind::kDemanded);
  } else {
    top_up();
  }
  start_admitted_ = false;
}

}  // namespace rowhouse::supervisor
