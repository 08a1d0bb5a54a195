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
  std::vector<Identity> identities;
  bool stopped = false;
  for (const AppFront* front : spec.fronts()) {
    const auto row = around.rows->take_app();
    if (!row.ok()) {
      for (const Identity& taken : identities) around.rows->give_back_app(taken.row);
      return row.error();
    }
    const StoredApp& stored = around.store->find_or_add({tenant.name, front->settings.name.str()});
    stopped = stopped || stored.stopped;
    identities.push_back({front->settings.name.str(), stored.number, row.value()});
  }
  std::unique_ptr<App> app(new App(around, tenant, std::move(spec), std::move(identities)));
  RH_ASSIGN(app->note_, around.notebook->take<AppNote>());
  RH_ASSIGN(app->kept_spec_, app->keep(app->spec_));
  app->stopped_ = stopped;
  app->remember();
  app->configure_all();
  return app;
}

App::App(const AppSurroundings& around, const TenantEntry& tenant, AppSpec spec, std::vector<Identity> identities)
    : around_(around),
      tenant_(tenant),
      spec_(std::move(spec)),
      identities_(std::move(identities)),
      name_(identities_.front().name),
      number_(identities_.front().number),
      suspended_(is_suspended_by_tenant()),
      backoff_(kBackoffLimits),
      retry_(around.loop, [this] { on_retry(); }) {}

App::~App() {
  around_.starts->cancel(*this);
  for (const Identity& identity : identities_) around_.rows->give_back_app(identity.row);
}

bool App::is_known_as(std::string_view name) const {
  return std::any_of(identities_.begin(), identities_.end(), [&](const Identity& each) { return each.name == name; });
}

std::vector<AppStore::Key> App::store_keys() const {
  std::vector<AppStore::Key> keys;
  for (const Identity& identity : identities_) keys.emplace_back(tenant_.name, identity.name);
  return keys;
}

// One process cannot run half: a suspension of one app of a share holds them all.
bool App::is_suspended_by_tenant() const {
  return std::any_of(identities_.begin(), identities_.end(),
                     [this](const Identity& each) { return tenant_.suspends(each.name); });
}

// --- orders ---------------------------------------------------------------------------------------------

// One without workers of its own waits for its first request.
void App::begin() {
  if (!held() && spec_.settings.workers_min > 0) start_generation(StartKind::kBackground);
}

void App::start(AppSpec spec, CommandCallback on_done) {
  command_ = std::move(on_done);
  if (suspended_) return finish_command({CommandOutcome::kSuspended, {}, last_generation_, 0});
  if (!stopped_ && serving_ != nullptr)
    return finish_command({CommandOutcome::kDone, {}, serving_->generation(), 0});
  if (const Status saved = around_.store->set_all_stopped(store_keys(), false); !saved.ok()) {
    log_error("cannot record that an app is started", {{"reason", saved.error()}});
    return finish_command({CommandOutcome::kFailed, {Cause::kSpawn, 0}, 0, 0});
  }
  stopped_ = false;
  adopt_spec(std::move(spec));
  if (spec_.settings.workers_min == 0) {
    tell_condition();
    return finish_command({CommandOutcome::kDone, {}, last_generation_, 0});
  }
  start_generation(StartKind::kDemanded);
}

void App::restart(AppSpec spec, CommandCallback on_done) {
  command_ = std::move(on_done);
  if (suspended_) return finish_command({CommandOutcome::kSuspended, {}, last_generation_, 0});
  if (stopped_) return finish_command({CommandOutcome::kConflict, {}, 0, 0});
  ++restarts_;
  adopt_spec(std::move(spec));
  notice(proto::NoticeKind::kRestarting, last_generation_);
  start_generation(StartKind::kDemanded);
}

void App::restart_hard(AppSpec spec, CommandCallback on_done) {
  if (held()) return restart(std::move(spec), std::move(on_done));  // which refuses
  give_up_next(Cause::kRestart);
  if (serving_ != nullptr) {
    Sandbox& ended = *serving_;
    retire(std::move(serving_), Cause::kRestart);
    ended.kill(Cause::kRestart);
  }
  restart(std::move(spec), std::move(on_done));
}

void App::stop(CommandCallback on_done) {
  finish_command({CommandOutcome::kConflict, {}, last_generation_, 0});  // the one that is overtaken
  last_result_.reset();
  command_ = std::move(on_done);
  if (const Status saved = around_.store->set_all_stopped(store_keys(), true); !saved.ok()) {
    log_error("cannot record that an app is stopped", {{"reason", saved.error()}});
    return finish_command({CommandOutcome::kFailed, {Cause::kSpawn, 0}, 0, 0});
  }
  stopped_ = true;
  retry_.stop();
  await_no_start();
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
  await_no_start();
  give_up_next(Cause::kShutdown);
  if (serving_ != nullptr) retire(std::move(serving_), Cause::kShutdown);
  check_quiet();
}

void App::kill() {
  for (Sandbox* sandbox : sandboxes()) sandbox->kill(Cause::kShutdown);
}

void App::finish_command(const CommandResult& result) {
  const CommandCallback callback = std::exchange(command_, nullptr);
  if (!callback) return;
  last_result_ = result;
  remember();
  callback(result);
}

// New settings take effect at once when nothing serves, else together with the generation that has them.
void App::adopt_spec(AppSpec spec) {
  give_up_next(Cause::kRestart);
  auto kept = keep(spec);
  if (!kept.ok()) log_error("cannot store a manifest's reading", {{"reason", kept.error()}});
  if (serving_ != nullptr) {
    next_spec_ = std::move(spec);
    kept_next_spec_ = kept.ok() ? std::move(kept).value() : KeptSpec();
    return remember();
  }
  set_spec(std::move(spec), kept.ok() ? std::move(kept).value() : KeptSpec());
  configure_all();
}

// What is given up may be what gateways have switched to, or are about to: they go back to what serves, with the
// settings that it had.
void App::drop_next(Cause cause) {
  switching_ = false;
  std::optional<AppSpec> former = std::exchange(former_spec_, std::nullopt);
  if (next_ == nullptr) return;
  retire(std::move(next_), cause);
  if (serving_ == nullptr) return;
  if (former) {
    next_spec_ = std::move(spec_);
    kept_next_spec_ = std::move(kept_spec_);
    auto kept = keep(*former);
    if (!kept.ok()) log_error("cannot store a manifest's reading", {{"reason", kept.error()}});
    set_spec(std::move(*former), kept.ok() ? std::move(kept).value() : KeptSpec());
    configure_all();
  }
  for (const Identity& identity : identities_) {
    around_.gateways->switch_to(identity.number, serving_->generation(), [] {});
  }
}

void App::give_up_next(Cause cause) {
  drop_next(cause);
  next_spec_.reset();
  const KeptSpec dropped = std::exchange(kept_next_spec_, KeptSpec());
  remember();
}

// --- a generation ---------------------------------------------------------------------------------------

void App::start_generation(StartKind kind) {
  if (shutting_down_ || held()) return;
  retry_.stop();
  if (!may_start(AwaitedStart::kGeneration, kind)) return tell_condition();
  drop_next(Cause::kRestart);
  const auto generation = around_.store->next_shared_generation(store_keys(), last_generation_);
  if (!generation.ok()) {
    log_error("cannot reserve a generation", {{"reason", generation.error()}});
    return on_start_failed({Cause::kSpawn, 0}, 0);
  }
  last_generation_ = generation.value();
  starting_ = last_generation_;
  remember();
  auto sandbox = build_sandbox();
  starting_ = 0;
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
  SandboxOrder order = order_of(last_generation_, spec);
  const std::string path = app_group(tenant_.name, name_) + "/g" + std::to_string(last_generation_);
  RH_ASSIGN(order.group, around_.cgroups->create_new(path));
  RH_ASSIGN(order.steward, around_.cgroups->create_new(path + "/steward"));
  if (order.python == nullptr) return make_error(ErrorCode::kNotFound, "worker program of this Python");
  return Sandbox::start(std::move(order), *this);
}

// Starts what is missing: workers in the standing sandbox, or a sandbox.
void App::top_up() {
  if (held() || shutting_down_) return;
  Sandbox* target = next_ != nullptr ? next_.get() : serving_.get();
  if (target == nullptr) return start_generation(StartKind::kDemanded);
  if (!target->standing()) return;
  tell_condition();
  if (!target->prepared()) return prepare(*target);
  const std::size_t wanted = target == next_.get() ? next_workers() : scaling_.wanted();
  const std::size_t most = newest_spec().settings.workers_max;
  while (target->staying_workers() < wanted && target->workers().size() < most) {
    // The first worker of a sandbox has its token; a fork of what is imported costs no more than a request.
    const bool first = target == next_.get() && target->workers().empty();
    if (!first && !target->has_template() && !may_start(AwaitedStart::kWorkers, StartKind::kDemanded)) return;
    if (const Status spawned = target->spawn_worker(); !spawned.ok()) {
      log_error("cannot spawn a worker", {{"app", tenant_.name + "/" + name_}, {"reason", spawned.error()}});
      return on_spawn_refused(*target);
    }
  }
}

// Its template is started, or has been: workers come when it has imported the app.
void App::prepare(Sandbox& sandbox) {
  if (sandbox.preparing()) return;
  if (&sandbox != next_.get() && !may_start(AwaitedStart::kWorkers, StartKind::kDemanded)) return;
  if (const Status started = sandbox.start_template(); !started.ok()) {
    log_error("cannot start a template", {{"app", tenant_.name + "/" + name_}, {"reason", started.error()}});
    on_spawn_refused(sandbox);
  }
}

// The host could not even try.
void App::on_spawn_refused(Sandbox& sandbox) {
  const bool fails = &sandbox == next_.get() && (serving_ != nullptr || command_ != nullptr);
  if (fails) return on_start_failed({Cause::kSpawn, 0}, 0);
  try_again_later();
}

// The new generation has all its workers: the gateways learn its settings, then switch, then the old one
// drains.
void App::promote_next() {
  // Gateways that were taken over say first what they have.
  if (!around_.gateways->settled()) return;
  if (switching_ || next_ == nullptr) return;
  if (next_->proved_workers() < next_workers()) {
    // What serves may have got stronger since the first workers were started.
    if (next_->staying_workers() < next_workers()) top_up();
    return;
  }
  switching_ = true;
  if (next_spec_) {
    former_spec_ = std::move(spec_);
    set_spec(*std::exchange(next_spec_, std::nullopt), std::exchange(kept_next_spec_, KeptSpec()));
  }
  configure_all();
  const std::uint32_t generation = next_->generation();
  // Done when every gateway has switched every app.
  switches_left_ = identities_.size();
  const auto on_switched = [this, generation] {
    if (next_ == nullptr || next_->generation() != generation || --switches_left_ > 0) return;
    switching_ = false;
    former_spec_.reset();
    restart_failed_ = false;
    scaling_.begin(static_cast<std::uint32_t>(next_workers()));
    if (serving_ != nullptr) retire(std::move(serving_), Cause::kRestart);
    serving_ = std::move(next_);
    backoff_.on_healthy(around_.clock->now());
    notice(proto::NoticeKind::kReady, generation);
    tell_condition();
    top_up();  // a worker may have died while the gateways switched
    finish_command({CommandOutcome::kDone, {}, generation, 0});
  };
  for (const Identity& identity : identities_) around_.gateways->switch_to(identity.number, generation, on_switched);
}

void App::retire(std::unique_ptr<Sandbox> sandbox, Cause cause) {
  Sandbox& leaving = *sandbox;
  retired_.push_back(std::move(sandbox));
  leaving.close(cause);
  remember();
}

void App::on_start_failed(Ending ending, std::uint32_t worker) {
  const std::uint32_t generation = last_generation_;
  if (serving_ != nullptr) {
    // A restart that fails leaves what serves, also one of which there was not even a sandbox.
    restart_failed_ = true;
    give_up_next(Cause::kRestart);
    // Of an order its answer tells.
    if (command_ == nullptr) notice(proto::NoticeKind::kDegraded, generation, static_cast<std::uint32_t>(ending.cause));
  } else {
    try_again_later();
  }
  finish_command({CommandOutcome::kFailed, ending, generation, worker});
}

void App::try_again_later() {
  if (held() || shutting_down_) return;
  const Instant now = around_.clock->now();
  const Duration delay = backoff_.on_death(now, random_number());
  retry_at_ = now + delay;
  retry_.start(std::chrono::duration_cast<milliseconds>(delay));
  if (delay > Duration::zero()) {
    notice(proto::NoticeKind::kBackoff, last_generation_, static_cast<std::uint32_t>(delay.count() / 1000));
  }
  tell_condition();
}

}  // namespace rowhouse::supervisor
