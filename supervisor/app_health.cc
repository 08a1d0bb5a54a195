// Health checks of an app's workers.  A gateway asks; here it is decided whom, when, and what the answer means.
//
//   ready --(no health check)-------------------------------> proved
//   ready --probe--> good: proved   not good: killed, the start has failed
//   proved --probe every interval--> three in a row not good: leaves, is replaced
#include "base/log.h"
#include "supervisor/app.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::ProbeOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kFailuresToReplace = 3;
constexpr seconds kBusyPause{1};     // until a worker whose threads are all busy is looked at again
constexpr seconds kAnswerMargin{2};  // of a gateway, beyond the time of the check
constexpr std::uint16_t kFirstGood = 200, kFirstBad = 400;

bool is_good(const proto::Probed& answer) {
  return answer.outcome == ProbeOutcome::kAnswered && answer.status >= kFirstGood && answer.status < kFirstBad;
}

// A name that the route covers.
std::string host_of(const Route& route) {
  return route.host.starts_with("*.") ? "health" + route.host.substr(1) : route.host;
}

}  // namespace

std::size_t App::checked_app(const AppSpec& spec) {
  const auto fronts = spec.fronts();
  for (std::size_t i = 0; i < fronts.size(); ++i) {
    if (!fronts[i]->settings.health_path.empty()) return i;
  }
  return 0;
}

void App::prove(Sandbox& sandbox, Worker& worker) {
  if (has_health_check(newest_spec())) return send_probe(sandbox, worker);
  worker.set_proved();
  promote_next();
}

void App::send_probe(Sandbox& sandbox, Worker& worker) {
  const AppSpec& spec = &sandbox == next_.get() ? newest_spec() : spec_;
  const std::size_t app = checked_app(spec);
  const AppFront& front = *spec.fronts()[app];
  if (front.routes.empty()) return;
  Gateway* asked = nullptr;
  around_.gateways->for_each([&](Gateway& gateway) {
    if (asked == nullptr && gateway.link().running()) asked = &gateway;
  });
  if (asked == nullptr) return;  // the next pulse asks again
  proto::Probe probe;
  probe.probe = ++last_probe_;
  probe.app = identities_[app].number;
  probe.generation = sandbox.generation();
  probe.worker = worker.id();
  probe.time_ms = front.settings.health_ms;
  probe.host = proto::Host::cut(host_of(front.routes.front()));
  probe.prefix = proto::Prefix::cut(front.routes.front().prefix);
  probe.path = front.settings.health_path;
  worker.notes.probe = probe.probe;
  worker.notes.next_probe_at = around_.clock->now() + milliseconds(probe.time_ms) + kAnswerMargin;
  asked->link().send(probe);
}

void App::check_health() {
  const Instant now = around_.clock->now();
  for (Sandbox* sandbox : {serving_.get(), next_.get()}) {
    if (sandbox == nullptr) continue;
    const AppSpec& spec = sandbox == next_.get() ? newest_spec() : spec_;
    if (!has_health_check(spec)) continue;
    for (const auto& [id, worker] : sandbox->workers()) {
      if (worker->state() == proto::WorkerState::kReady) check_worker(*sandbox, *worker, now);
    }
  }
}

void App::check_worker(Sandbox& sandbox, Worker& worker, Instant now) {
  WorkerNotes& notes = worker.notes;
  if (notes.probe != 0 && now < notes.next_probe_at) return;
  notes.probe = 0;  // its gateway has died
  if (!worker.proved()) return send_probe(sandbox, worker);
  const Duration interval = milliseconds(spec_.fronts()[checked_app(spec_)]->settings.health_interval_ms);
  if (interval == Duration::zero()) return;
  if (notes.next_probe_at == Instant{}) notes.next_probe_at = now + interval;
  if (now < notes.next_probe_at) return;
  // Its requests have a time of their own; a check would only wait behind them.
  const std::size_t app = checked_app(spec_);
  const bool has_row = app < worker.rows().size();
  if (has_row && around_.rows->worker_in_flight(worker.rows()[app]) >= places_of(worker, app)) {
    notes.next_probe_at = now + kBusyPause;
    return;
  }
  send_probe(sandbox, worker);
}

void App::on_probed(const proto::Probed& answer) {
  for (Sandbox* sandbox : sandboxes()) {
    for (const auto& [id, worker] : sandbox->workers()) {
      WorkerNotes& notes = worker->notes;
      if (notes.probe != answer.probe || worker->state() != proto::WorkerState::kReady) continue;
      notes.probe = 0;
      notes.next_probe_at = around_.clock->now() + milliseconds(spec_.fronts()[checked_app(spec_)]->settings.health_interval_ms);
      if (answer.outcome == ProbeOutcome::kNotAsked) return;
      if (!is_good(answer)) return on_unhealthy(*sandbox, *worker, answer);
      notes.failed_probes = 0;
      worker->set_proved();
      if (sandbox == next_.get()) promote_next();
      return;
    }
  }
}

void App::on_unhealthy(Sandbox& sandbox, Worker& worker, const proto::Probed& answer) {
  WorkerNotes& notes = worker.notes;
  ++notes.failed_probes;
  log_warning("health check failed", {{"app", tenant_.name + "/" + name_},
                                      {"worker", worker.id()},
                                      {"status", answer.status},
                                      {"in_a_row", notes.failed_probes}});
  if (!worker.proved()) return worker.kill(Cause::kHealth, answer.status);
  if (&sandbox != serving_.get() || notes.failed_probes < kFailuresToReplace) return;
  // One after the other: what the app needs may be down for all of them, and half an answer is better than none.
  if (serving_->ready_workers() < scaling_.wanted() && serving_->ready_workers() > 1) return;
  worker.leave(Cause::kHealth, answer.status);
  replace_lost();
}

}  // namespace rowhouse::supervisor
