// An app across supervisors: what it writes down and stores as things happen, and how the next supervisor takes it
// over with everything that runs of it.
#include <algorithm>
#include <csignal>
#include <random>

#include "base/files.h"
#include "base/log.h"
#include "supervisor/app.h"
#include "supervisor/kept_configuration.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::KeptKind;
using std::chrono::milliseconds;

}  // namespace

// --- as things happen -----------------------------------------------------------------------------------

Result<KeptSpec> App::keep(const AppSpec& spec) {
  KeeperLink& keeper = around_.launcher->keeper();
  KeptSpec kept;
  kept.reading = ++last_reading_;
  const auto add = [&](KeptKind kind, std::size_t index, int descriptor) -> Status {
    const auto which = static_cast<std::uint32_t>(index);
    RH_ASSIGN(Kept entry, Kept::keep(keeper, {kind, number_, kept.reading, which}, descriptor));
    kept.entries.push_back(std::move(entry));
    return {};
  };
  RH_ASSIGN(const UniqueFd records, create_sealed_memory("app", as_bytes(encode_app(spec))));
  RH_TRY(add(KeptKind::kAppRecords, 0, records.get()));
  RH_TRY(add(KeptKind::kWorkerPart, 0, spec.worker_part.get()));
  const auto fronts = spec.fronts();
  std::size_t statics = 0;  // of all apps of a share, one after the other
  for (std::size_t i = 0; i < fronts.size(); ++i) {
    if (fronts[i]->gateway_part.valid()) RH_TRY(add(KeptKind::kGatewayPart, i, fronts[i]->gateway_part.get()));
    for (const StaticDirectory& directory : fronts[i]->statics) {
      RH_TRY(add(KeptKind::kStaticDirectory, statics++, directory.directory.get()));
    }
  }
  return kept;
}

// What it replaces leaves the store when the note names the new one.
void App::set_spec(AppSpec spec, KeptSpec kept) {
  spec_ = std::move(spec);
  const KeptSpec former = std::exchange(kept_spec_, std::move(kept));
  remember();
}

void App::expect(const CommandId& command) {
  last_command_ = command;
  last_result_.reset();
  remember();
}

void App::remember() {
  AppNote note;
  note.number = number_;
  note.row = identities_.front().row;
  for (std::size_t i = 1; i < identities_.size(); ++i) note.others[i - 1] = {identities_[i].number, identities_[i].row};
  note.uid = tenant_.uid;
  note.reading = kept_spec_.reading;
  note.next_reading = kept_next_spec_.reading;
  note.last_reading = last_reading_;
  note.last_generation = last_generation_;
  note.serving = serving_ != nullptr ? serving_->generation() : 0;
  note.next = next_ != nullptr ? next_->generation() : starting_;
  note.revision = revision_;
  note.restarts = restarts_;
  note.removed_oom_kills = removed_.oom_kills;
  note.removed_forks_refused = removed_.forks_refused;
  note.seen_limit_hits = seen_limit_hits_;
  note.retry = retry_.active();
  note.retry_at_us = in_us(retry_at_);
  const Backoff::State backoff = backoff_.state();
  note.deaths = backoff.deaths;
  note.healthy = backoff.healthy;
  note.healthy_since_us = in_us(backoff.healthy_since);
  note.restart_failed = restart_failed_;
  note.last_exit = last_exit_;
  note.last_exit_ms = last_exit_ms_;
  note.last_exit_generation = last_exit_generation_;
  note.last_exit_worker = last_exit_worker_;
  note.wanted = scaling_.wanted();
  note.leaving = leaving_;
  note.command = last_command_;
  note.command_done = last_result_.has_value();
  if (last_result_) {
    note.outcome = last_result_->outcome;
    note.outcome_ending = last_result_->ending;
    note.outcome_generation = last_result_->generation;
    note.outcome_worker = last_result_->worker;
  }
  note_.write(note);
}

SandboxOrder App::order_of(std::uint32_t generation, const AppSpec& spec) const {
  SandboxOrder order;
  order.loop = around_.loop;
  order.launcher = around_.launcher;
  order.programs = around_.programs;
  order.python = around_.programs->find_python(spec.settings.python.view());
  order.graveyard = around_.graveyard;
  order.app_number = number_;
  for (std::size_t i = 1; i < identities_.size(); ++i) order.others.push_back(identities_[i].number);
  order.generation = generation;
  order.notebook = around_.notebook;
  order.cgroups = around_.cgroups;
  order.tenant = &tenant_;
  order.app = name_;
  for (const std::string& path : spec.touches) order.touches.push_back(tenant_.home + "/" + path);
  order.worker_part = spec.worker_part.get();
  order.source = spec.settings.preload ? WorkerSource::kTemplate : WorkerSource::kSteward;
  order.network = network_of(tenant_, *around_.host);
  order.clock = around_.clock;
  order.times = {milliseconds(spec.settings.startup_ms), milliseconds(spec.settings.graceful_ms),
                 milliseconds(spec.settings.shutdown_ms)};
  return order;
}

// --- taking over ----------------------------------------------------------------------------------------

std::unique_ptr<App> App::adopt(const AppSurroundings& around, const TenantEntry& tenant, LeftApp left) {
  const AppNote& note = left.note;
  std::vector<Identity> identities{{left.spec.settings.name.str(), note.number, note.row}};
  for (std::size_t i = 0; i < left.spec.others.size(); ++i) {
    identities.push_back({left.spec.others[i].settings.name.str(), note.others[i].number, note.others[i].row});
  }
  std::unique_ptr<App> app(new App(around, tenant, std::move(left.spec), std::move(identities)));
  for (const Identity& each : app->identities_) {
    const bool stopped = around.store->restore({tenant.name, each.name}, each.number).stopped;
    app->stopped_ = app->stopped_ || stopped;
  }
  app->next_spec_ = std::move(left.next_spec);
  app->kept_spec_ = std::move(left.kept_spec);
  app->kept_next_spec_ = std::move(left.kept_next_spec);
  app->adopt_note(note);
  for (LeftApp::LogPipe& pipe : left.log_pipes) {
    const auto owner = std::find_if(app->identities_.begin(), app->identities_.end(),
                                    [&](const Identity& each) { return each.number == pipe.record.app; });
    if (owner == app->identities_.end()) continue;
    const auto index = static_cast<std::size_t>(owner - app->identities_.begin());
    app->log_pipes_.push_back({pipe.record.generation, pipe.record.worker, index, std::move(pipe.pipe),
                               Kept::take_over(around.launcher->keeper(), pipe.record)});
  }
  for (LeftSandbox& sandbox : left.sandboxes) app->adopt_sandbox(std::move(sandbox));
  // One that was being built, or was waiting for the host's leave beside the one that serves.
  const bool was_starting = note.next != 0 && note.next != note.serving;
  const bool was_waiting = app->serving_ != nullptr && app->next_spec_.has_value();
  app->start_again_ = app->next_ == nullptr && (was_starting || was_waiting);
  app->left_leaving_ = note.leaving != 0;
  app->note_ = std::move(left.row);
  app->remember();
  return app;
}

void App::adopt_note(const AppNote& note) {
  scaling_.begin(note.wanted);
  // No answer to a supervisor before this one is taken for one to this one.
  last_probe_ = std::random_device{}();
  last_reading_ = note.last_reading;
  last_generation_ = note.last_generation;
  starting_ = 0;
  revision_ = note.revision;
  restarts_ = note.restarts;
  removed_ = {note.removed_oom_kills, note.removed_forks_refused};
  seen_limit_hits_ = note.seen_limit_hits;
  backoff_.restore({note.deaths, note.healthy != 0, from_us(note.healthy_since_us)});
  restart_failed_ = note.restart_failed != 0;
  last_exit_ = note.last_exit;
  last_exit_ms_ = note.last_exit_ms;
  last_exit_generation_ = note.last_exit_generation;
  last_exit_worker_ = note.last_exit_worker;
  last_command_ = note.command;
  if (note.command_done != 0) {
    last_result_ = CommandResult{note.outcome, note.outcome_ending, note.outcome_generation, note.outcome_worker};
  }
  if (note.retry != 0) {
    retry_at_ = from_us(note.retry_at_us);
    const Duration left = std::max(retry_at_ - around_.clock->now(), Duration::zero());
    retry_.start(std::chrono::duration_cast<milliseconds>(left));
  }
  serving_generation_left_ = note.serving;
  next_generation_left_ = note.next;
}

void App::adopt_sandbox(LeftSandbox left) {
  const std::uint32_t generation = left.note.generation;
  const bool is_next = generation == next_generation_left_ && generation != serving_generation_left_;
  SandboxOrder order = order_of(generation, is_next && next_spec_ ? *next_spec_ : spec_);
  const std::string path = app_group(tenant_.name, name_) + "/g" + std::to_string(generation);
  auto group = around_.cgroups->open_existing(path);
  auto steward = around_.cgroups->open_existing(path + "/steward");
  if (!group.ok() || !steward.ok()) {
    // What is half there is removed with all that nobody knows; whoever was moved out of it ends with its init.
    if (left.steward) signal_process(left.steward->pidfd, SIGKILL);
    return;
  }
  order.group = std::move(group).value();
  order.steward = std::move(steward).value();
  if (!left.control.valid() && left.steward) signal_process(left.steward->pidfd, SIGKILL);
  auto adopted = Sandbox::adopt(std::move(order), *this, std::move(left));
  if (!adopted.ok()) {
    log_warning("cannot take over a sandbox", {{"app", tenant_.name + "/" + name_},
                                               {"generation", generation},
                                               {"reason", adopted.error()}});
    return;
  }
  std::unique_ptr<Sandbox> sandbox = std::move(adopted).value();
  const bool lives = !sandbox->closing() && !sandbox->half_made() && !held();
  if (lives && generation == serving_generation_left_) {
    serving_ = std::move(sandbox);
  } else if (lives && is_next) {
    next_ = std::move(sandbox);
  } else {
    retired_.push_back(std::move(sandbox));
  }
}

std::vector<std::uint32_t> App::generations() const {
  std::vector<std::uint32_t> numbers;
  for (const Sandbox* sandbox : sandboxes()) numbers.push_back(sandbox->generation());
  return numbers;
}

Cause App::why_closing() const {
  if (suspended_) return Cause::kSuspended;
  return stopped_ ? Cause::kStopped : Cause::kRestart;
}

void App::carry_on() {
  const Sandbox* serving = serving_.get();
  const Sandbox* next = next_.get();
  for (Sandbox* sandbox : sandboxes()) {
    sandbox->carry_on();
    // What serves or will serve stays; everything else was being closed.
    if (sandbox != serving && sandbox != next) sandbox->close(why_closing());
  }
  const bool sleeps = spec_.settings.workers_min == 0 && queued() == 0;
  if (left_leaving_) {
    // Its owner lets it leave once more.
  } else if (std::exchange(start_again_, false)) {
    start_generation(command_ != nullptr ? StartKind::kDemanded : StartKind::kBackground);
  } else if (serving_ == nullptr && next_ == nullptr && !retry_.active() && !sleeps) {
    start_generation(StartKind::kBackground);
  }
  check_quiet();
}

void App::on_sandbox_resynced(Sandbox& sandbox) {
  std::vector<Worker*> ready;
  for (const auto& [id, worker] : sandbox.workers()) {
    if (worker->state() == proto::WorkerState::kReady && !worker->row()) ready.push_back(worker.get());
  }
  for (Worker* worker : ready) on_worker_ready(sandbox, *worker);
  prove_taken_over(sandbox);
  if (&sandbox == next_.get()) promote_next();
  if (&sandbox == next_.get() || &sandbox == serving_.get()) {
    if (!retry_.active()) top_up();
  }
  tell_condition();
}

// Ready workers that the supervisor before had not come to trust yet; what serves has been trusted.
void App::prove_taken_over(Sandbox& sandbox) {
  const bool asked = &sandbox == next_.get() && has_health_check(newest_spec());
  for (const auto& [id, worker] : sandbox.workers()) {
    const bool waits = worker->state() == proto::WorkerState::kReady && worker->row() && !worker->proved();
    if (waits && !asked) worker->set_proved();  // else: the next pulse asks it
  }
}

// One app of a share may be known where another is not: each is told for itself.
void App::reintroduce_to(Gateway& gateway, const std::map<std::uint32_t, WorkersInGateway>& said) {
  configure(gateway);
  tell_condition_to(gateway);
  for (std::size_t i = 0; i < identities_.size(); ++i) {
    const std::uint32_t number = identities_[i].number;
    const auto found = said.find(number);
    const WorkersInGateway workers = found == said.end() ? WorkersInGateway() : found->second;
    WorkersInGateway gone = workers;
    for (Sandbox* sandbox : sandboxes()) {
      for (const auto& [id, worker] : sandbox->workers()) {
        const proto::WorkerState state = worker->state();
        const bool lives = state == proto::WorkerState::kReady || state == proto::WorkerState::kDraining;
        const bool known = workers.contains({sandbox->generation(), id});
        if (lives && known) gone.erase({sandbox->generation(), id});
        // The word may have been on its way when the supervisor before us died.
        if (state == proto::WorkerState::kDraining && known) {
          gateway.link().send(proto::WorkerLeaving{number, sandbox->generation(), id});
        }
        if (state == proto::WorkerState::kReady && worker->row() && !known) {
          introduce_worker(gateway, *sandbox, *worker, i);
        }
      }
    }
    for (const auto& [generation, worker] : gone) gateway.link().send(proto::WorkerGone{number, generation, worker});
  }
  Sandbox* current = switching_ ? next_.get() : serving_.get();
  if (current != nullptr) tell_use(gateway, current->generation());
}

}  // namespace rowhouse::supervisor
