// What happens to an app: its sandboxes and workers come, are lost and go.
#include <algorithm>
#include <random>

#include "base/log.h"
#include "supervisor/app.h"

namespace rowhouse::supervisor {

using proto::AppState;
using proto::Cause;
using proto::CommandOutcome;
using proto::Ending;

namespace {

std::uint32_t random_number() {
  static std::random_device device;
  return device();
}

}  // namespace

void App::on_sandbox_standing(Sandbox& sandbox) {
  if (&sandbox != next_.get()) return;
  const std::uint32_t missing =
      around_.cgroups->missing_walls() | around_.limits->missing(tenant_.name) | sandbox.missing_walls();
  if (!around_.host->host.strict || missing == 0) return top_up();
  // isolation.strict: no app without all its walls.
  const Ending ending{Cause::kSpawn, -static_cast<std::int32_t>(missing)};
  note_death(sandbox.generation(), 0, ending);
  const bool restarting = serving_ != nullptr;
  on_start_failed(ending, 0);
  if (!restarting) give_up_next(Cause::kSpawn);
}

void App::on_worker_ready(Sandbox& sandbox, Worker& worker) {
  std::vector<std::uint32_t> rows;
  while (rows.size() < identities_.size()) {
    const auto row = around_.rows->take_worker();
    if (!row.ok()) {
      for (const std::uint32_t taken : rows) around_.rows->give_back_worker(taken);
      return worker.kill(Cause::kSpawn);
    }
    rows.push_back(row.value());
  }
  worker.notes.random = random_number();
  worker.set_rows(std::move(rows));
  around_.gateways->for_each([&](Gateway& gateway) { introduce_worker(gateway, sandbox, worker); });
  if (&sandbox == next_.get()) return prove(sandbox, worker);
  worker.set_proved();
  backoff_.on_healthy(around_.clock->now());
  tell_condition();
}

void App::on_worker_leaving(Sandbox& sandbox, Worker& worker) {
  for (const Identity& identity : identities_) {
    around_.gateways->tell_all(proto::WorkerLeaving{identity.number, sandbox.generation(), worker.id()});
  }
}

void App::on_worker_lost(Sandbox& sandbox, Worker& worker) {
  for (const Identity& identity : identities_) {
    around_.gateways->tell_all(proto::WorkerGone{identity.number, sandbox.generation(), worker.id()});
  }
  const std::vector<std::uint32_t> rows = worker.rows();
  worker.set_rows({});
  for (const std::uint32_t row : rows) around_.rows->give_back_worker(row);
}

void App::on_worker_gone(Sandbox& sandbox, std::uint32_t worker, Ending ending) {
  forget_log_pipes(sandbox.generation(), worker);
  add_limit_facts(ending);
  note_death(sandbox.generation(), worker, ending);
  if (&sandbox == next_.get()) {
    if (serving_ != nullptr || command_ != nullptr) return on_start_failed(ending, worker);
    return try_again_later();
  }
  if (&sandbox != serving_.get() || !sandbox.standing()) return;
  if (!is_planned(ending.cause)) ++restarts_;
  // Its replacement was asked for when it was told to go, and may have waited for its place.
  const bool sent_away = is_planned(ending.cause) || ending.cause == Cause::kRequestTimeout || ending.cause == Cause::kHealth;
  if (!sent_away) return try_again_later();
  if (!retry_.active()) top_up();
}

void App::on_sandbox_failed(Sandbox& sandbox, Ending ending) {
  add_limit_facts(ending);
  note_death(sandbox.generation(), 0, ending);
  if (&sandbox == next_.get()) {
    const bool restarting = serving_ != nullptr;
    on_start_failed(ending, 0);
    if (!restarting) give_up_next(Cause::kSpawn);
    return;
  }
  if (&sandbox != serving_.get()) return;
  ++restarts_;
  retire(std::move(serving_), Cause::kSpawn);
  try_again_later();
}

void App::on_sandbox_closed(Sandbox& sandbox) {
  forget_log_pipes(sandbox.generation(), 0);
  removed_ += sandbox.counters();
  const auto found = std::find_if(retired_.begin(), retired_.end(),
                                  [&](const auto& entry) { return entry.get() == &sandbox; });
  if (found != retired_.end()) {
    around_.graveyard->bury(std::move(*found));
    retired_.erase(found);
  }
  // What it has given back may be what a lower limit was waiting for.
  if (around_.limits->pending(tenant_.name)) around_.limits->renew(tenant_);
  check_quiet();
}

void App::check_quiet() {
  if (serving_ != nullptr || next_ != nullptr || !retired_.empty()) return;
  if (stopped_ && command_ != nullptr) finish_command({CommandOutcome::kDone, {}, last_generation_, 0});
  const std::function<void()> on_quiet = std::exchange(on_quiet_, nullptr);
  if (on_quiet) on_quiet();
}

void App::on_worker_fault(const proto::WorkerFault& fault) {
  for (Sandbox* sandbox : sandboxes()) {
    if (sandbox->generation() != fault.generation) continue;
    Worker* worker = sandbox->find_worker(fault.worker);
    if (worker == nullptr) return;
    log_warning("worker fault", {{"app", tenant_.name + "/" + name_},
                                 {"worker", fault.worker},
                                 {"kind", static_cast<int>(fault.kind)}});
    if (fault.kind == proto::FaultKind::kProtocol) return worker->kill(Cause::kProtocol);
    worker->on_request_over_time();
    if (sandbox == serving_.get()) replace_lost();
    return;
  }
}

void App::on_sandbox_prepared(Sandbox& sandbox) {
  const bool used = &sandbox == next_.get() || &sandbox == serving_.get();
  if (used && !retry_.active()) top_up();
}

// A template that cannot import the app is a start that failed.  One of what serves is missed by no request: it is
// started again, in its time.
void App::on_worker_unborn(Sandbox& sandbox, std::uint32_t number) {
  forget_log_pipes(sandbox.generation(), number);
  // The next template may be there already, and have counted on it.
  if ((&sandbox == serving_.get() || &sandbox == next_.get()) && !retry_.active()) top_up();
}

void App::on_template_gone(Sandbox& sandbox, std::uint32_t number, Ending ending) {
  forget_log_pipes(sandbox.generation(), number);
  add_limit_facts(ending);
  note_death(sandbox.generation(), number, ending);
  if (&sandbox == next_.get()) {
    if (serving_ != nullptr || command_ != nullptr) return on_start_failed(ending, number);
    return try_again_later();
  }
  if (&sandbox == serving_.get() && !sandbox.closing() && !retry_.active()) try_again_later();
}

bool App::on_child_exit(std::uint64_t child, int code, int status) {
  for (Sandbox* sandbox : sandboxes()) {
    if (sandbox->steward_child() != child) continue;
    sandbox->on_steward_exit(code, status);
    return true;
  }
  return false;
}

std::vector<Sandbox*> App::sandboxes() const {
  std::vector<Sandbox*> all;
  if (serving_ != nullptr) all.push_back(serving_.get());
  if (next_ != nullptr) all.push_back(next_.get());
  for (const auto& sandbox : retired_) all.push_back(sandbox.get());
  return all;
}

AppState App::state() const {
  AppFacts facts;
  facts.suspended = suspended_;
  facts.stopped = stopped_;
  facts.serving = serving_ != nullptr;
  facts.next = next_ != nullptr || awaited_start_ == AwaitedStart::kGeneration;
  facts.backing_off = retry_.active() && retry_at_ > around_.clock->now();
  facts.restart_failed = restart_failed_;
  facts.ready = serving_ != nullptr ? static_cast<std::uint32_t>(serving_->ready_workers()) : 0;
  facts.min = spec_.settings.workers_min;
  return app_state(facts);
}

}  // namespace rowhouse::supervisor
