#include "supervisor/app.h"

#include <algorithm>
#include <random>

#include "base/log.h"

namespace rowhouse::supervisor {
namespace {

using proto::AppState;
using proto::Cause;
using proto::CommandOutcome;
using proto::Ending;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Backoff::Limits kBackoffLimits{milliseconds(100), seconds(60), seconds(30)};

std::uint32_t random_number() {
  static std::random_device device;
  return device();
}

}  // namespace

Result<std::unique_ptr<App>> App::create(const AppSurroundings& around, const TenantEntry& tenant,
                                         AppSpec spec) {
  RH_ASSIGN(const std::uint32_t row, around.rows->take_app());
  const StoredApp& stored = around.store->find_or_add({tenant.name, spec.settings.name.str()});
  const bool stopped = stored.stopped;
  std::unique_ptr<App> app(new App(around, tenant, std::move(spec), stored.number, row));
  app->stopped_ = stopped;
  app->configure_all();
  return app;
}

App::App(const AppSurroundings& around, const TenantEntry& tenant, AppSpec spec, std::uint32_t number,
         std::uint32_t row)
    : around_(around),
      tenant_(tenant),
      spec_(std::move(spec)),
      name_(spec_.settings.name.str()),
      number_(number),
      row_(row),
      backoff_(kBackoffLimits),
      retry_(around.loop, [this] { top_up(); }) {}

App::~App() {
  around_.rows->give_back_app(row_);
}

// --- orders
// --------------------------------------------------------------------------------------------------

void App::begin() {
  if (!stopped_) start_generation();
}

void App::start(AppSpec spec, CommandCallback on_done) {
  command_ = std::move(on_done);
  if (!stopped_ && serving_ != nullptr)
    return finish_command({CommandOutcome::kDone, {}, serving_->generation(), 0});
  if (const Status saved = around_.store->set_stopped({tenant_.name, name_}, false); !saved.ok()) {
    log_error("cannot record that an app is started", {{"reason", saved.error()}});
    return finish_command({CommandOutcome::kFailed, {Cause::kSpawn, 0}, 0, 0});
  }
  stopped_ = false;
  adopt_spec(std::move(spec));
  start_generation();
}

void App::restart(AppSpec spec, CommandCallback on_done) {
  command_ = std::move(on_done);
  if (stopped_) return finish_command({CommandOutcome::kConflict, {}, 0, 0});
  ++restarts_;
  adopt_spec(std::move(spec));
  notice(proto::NoticeKind::kRestarting, last_generation_);
  start_generation();
}

void App::stop(CommandCallback on_done) {
  finish_command({CommandOutcome::kConflict, {}, last_generation_, 0});  // the one that is overtaken
  command_ = std::move(on_done);
  if (const Status saved = around_.store->set_stopped({tenant_.name, name_}, true); !saved.ok()) {
    log_error("cannot record that an app is stopped", {{"reason", saved.error()}});
    return finish_command({CommandOutcome::kFailed, {Cause::kSpawn, 0}, 0, 0});
  }
  stopped_ = true;
  retry_.stop();
  tell_condition();
  notice(proto::NoticeKind::kStopped, last_generation_);
  give_up_next(Cause::kStopped);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kStopped);
  check_quiet();
}

void App::shut_down(std::function<void()> on_quiet) {
  on_quiet_ = std::move(on_quiet);
  shutting_down_ = true;
  retry_.stop();
  give_up_next(Cause::kShutdown);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kShutdown);
  check_quiet();
}

void App::kill() {
  for (Sandbox* sandbox : sandboxes()) sandbox->kill(Cause::kShutdown);
}

void App::finish_command(const CommandResult& result) {
  const CommandCallback callback = std::exchange(command_, nullptr);
  if (callback) callback(result);
}

// New settings take effect at once when nothing serves, else together with the generation that has them.
void App::adopt_spec(AppSpec spec) {
  give_up_next(Cause::kRestart);
  if (serving_ != nullptr) {
    next_spec_ = std::move(spec);
    return;
  }
  spec_ = std::move(spec);
  configure_all();
}

void App::give_up_next(Cause cause) {
  switching_ = false;
  if (next_ != nullptr) retire(std::move(next_), cause);
  next_spec_.reset();
}

// --- a generation
// --------------------------------------------------------------------------------------------

void App::start_generation() {
  if (shutting_down_ || stopped_) return;
  retry_.stop();
  switching_ = false;
  if (next_ != nullptr) retire(std::move(next_), Cause::kRestart);
  const auto generation = around_.store->next_generation({tenant_.name, name_}, last_generation_);
  if (!generation.ok()) {
    log_error("cannot reserve a generation", {{"reason", generation.error()}});
    return on_start_failed({Cause::kSpawn, 0}, 0);
  }
  last_generation_ = generation.value();
  auto sandbox = build_sandbox();
  if (!sandbox.ok()) {
    log_error("cannot start a sandbox", {{"app", tenant_.name + "/" + name_}, {"reason", sandbox.error()}});
    Ending ending{Cause::kSpawn, 0};
    add_limit_facts(ending);
    note_death(last_generation_, 0, ending);
    return on_start_failed(ending, 0);
  }
  next_ = std::move(sandbox).value();
  notice(proto::NoticeKind::kStarting, last_generation_);
  tell_condition();
}

Result<std::unique_ptr<Sandbox>> App::build_sandbox() {
  // The last gate before a process becomes a tenant (THREATS S22).
  if (check_identity(tenant_.uid, tenant_.gid, *around_.host))
    return make_error(ErrorCode::kInvalid, "identity");
  const AppSpec& spec = newest_spec();
  RH_TRY(around_.limits->prepare(tenant_, spec.settings));
  SandboxOrder order;
  const std::string path = app_group(tenant_.name, name_) + "/g" + std::to_string(last_generation_);
  RH_ASSIGN(order.group, around_.cgroups->create_new(path));
  RH_ASSIGN(order.steward, around_.cgroups->create_new(path + "/steward"));
  order.loop = around_.loop;
  order.launcher = around_.launcher;
  order.programs = around_.programs;
  order.python = around_.programs->find_python(spec.settings.python.view());
  if (order.python == nullptr) return make_error(ErrorCode::kNotFound, "worker program of this Python");
  order.graveyard = around_.graveyard;
  order.generation = last_generation_;
  order.cgroups = around_.cgroups;
  order.tenant = &tenant_;
  order.app = name_;
  order.worker_part = spec.worker_part.get();
  order.network = network_of(tenant_, *around_.host);
  order.startup = milliseconds(spec.settings.startup_ms);
  order.graceful = milliseconds(spec.settings.graceful_ms);
  order.shutdown = milliseconds(spec.settings.shutdown_ms);
  return Sandbox::start(std::move(order), *this);
}

// Starts what is missing: workers in the standing sandbox, or a sandbox.
void App::top_up() {
  if (stopped_ || shutting_down_) return;
  Sandbox* target = next_ != nullptr ? next_.get() : serving_.get();
  if (target == nullptr) return start_generation();
  if (!target->standing()) return;
  tell_condition();
  const std::size_t wanted = newest_spec().settings.workers_min;
  while (target->workers().size() < wanted) {
    if (const Status spawned = target->spawn_worker(); !spawned.ok()) {
      log_error("cannot spawn a worker", {{"app", tenant_.name + "/" + name_}, {"reason", spawned.error()}});
      return try_again_later();
    }
  }
}

// The new generation has all its workers: the gateways learn its settings, then switch, then the old one
// drains.
void App::promote_next() {
  if (switching_ || next_ == nullptr || next_->ready_workers() < newest_spec().settings.workers_min) return;
  switching_ = true;
  if (next_spec_) spec_ = *std::exchange(next_spec_, std::nullopt);
  configure_all();
  const std::uint32_t generation = next_->generation();
  around_.gateways->switch_to(number_, generation, [this, generation] {
    if (next_ == nullptr || next_->generation() != generation) return;
    switching_ = false;
    restart_failed_ = false;
    if (serving_ != nullptr) retire(std::move(serving_), Cause::kRestart);
    serving_ = std::move(next_);
    backoff_.on_healthy(around_.clock->now());
    notice(proto::NoticeKind::kReady, generation);
    tell_condition();
    top_up();  // a worker may have died while the gateways switched
    finish_command({CommandOutcome::kDone, {}, generation, 0});
  });
}

void App::retire(std::unique_ptr<Sandbox> sandbox, Cause cause) {
  Sandbox& leaving = *sandbox;
  retired_.push_back(std::move(sandbox));
  leaving.close(cause);
}

void App::on_start_failed(Ending ending, std::uint32_t worker) {
  const std::uint32_t generation = last_generation_;
  if (serving_ != nullptr && next_ != nullptr) {
    // A restart that fails leaves what serves.
    restart_failed_ = true;
    give_up_next(Cause::kRestart);
  } else {
    try_again_later();
  }
  finish_command({CommandOutcome::kFailed, ending, generation, worker});
}

void App::try_again_later() {
  if (stopped_ || shutting_down_) return;
  const Instant now = around_.clock->now();
  const Duration delay = backoff_.on_death(now, random_number());
  retry_at_ = now + delay;
  retry_.start(std::chrono::duration_cast<milliseconds>(delay));
  if (delay > Duration::zero()) {
    notice(proto::NoticeKind::kBackoff, last_generation_, static_cast<std::uint32_t>(delay.count() / 1000));
  }
  tell_condition();
}

// --- what happens
// --------------------------------------------------------------------------------------------

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
  const auto row = around_.rows->take_worker();
  if (!row.ok()) return worker.kill(Cause::kSpawn);
  worker.row = row.value();
  around_.gateways->for_each([&](Gateway& gateway) { introduce_worker(gateway, sandbox, worker); });
  if (&sandbox == next_.get()) return promote_next();
  backoff_.on_healthy(around_.clock->now());
  tell_condition();
}

void App::on_worker_lost(Sandbox& sandbox, Worker& worker) {
  around_.gateways->tell_all(proto::WorkerGone{number_, sandbox.generation(), worker.id()});
  if (worker.row) around_.rows->give_back_worker(*worker.row);
  worker.row.reset();
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
  ++restarts_;
  try_again_later();
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
    return worker->kill(fault.kind == proto::FaultKind::kProtocol ? Cause::kProtocol
                                                                  : Cause::kRequestTimeout);
  }
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
  if (stopped_) return AppState::kStopped;
  const bool waiting = retry_.active() && retry_at_ > around_.clock->now();
  if (serving_ != nullptr && next_ != nullptr) return AppState::kRestarting;
  if (serving_ == nullptr) return waiting ? AppState::kBackoff : AppState::kStarting;
  const std::size_t ready = serving_->ready_workers();
  if (ready == 0) return waiting ? AppState::kBackoff : AppState::kStarting;
  if (restart_failed_ || ready < spec_.settings.workers_min) return AppState::kDegraded;
  return AppState::kRunning;
}

}  // namespace rowhouse::supervisor
