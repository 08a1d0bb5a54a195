// Configuration that changes while everything runs: tenant files, read in rounds, and manifests, looked at one by one.
//
//   event or order -> directory listed -> removed ones leave
//                                      -> changed ones loaded, refused ones once more when others have moved
//                                      -> ids written down -> each applied -> its manifest is looked at -> apps
//
// One round at a time; what happens meanwhile starts the next one.  A refused file changes nothing.
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/foreign_files.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::CommandOutcome;
using proto::TenantChangeKind;

// Between two tries when the directory of tenant files cannot be read.
constexpr std::chrono::milliseconds kDirectoryRetry{10'000};
// A refused file is tried again when another one was accepted in the same round: a domain may have moved.
constexpr int kRoundPasses = 3;

}  // namespace

// --- rounds ------------------------------------------------------------------------------------------------

void Supervisor::on_files_event() {
  if (stage_ > Stage::kServing) return;
  if (reloading_ || stage_ != Stage::kServing) {
    round_again_ = true;
    return;
  }
  begin_round(RoundScope{RoundScope::Kind::kChanged, ""}, [](const RoundOutcome&) {});
}

void Supervisor::begin_round(RoundScope scope, RoundCallback on_done) {
  reloading_ = true;
  round_again_ = false;
  round_ = Round{};
  round_.on_done = std::move(on_done);
  std::string problem;
  auto listing = files_->list(problem);
  if (listing.ok() && scope.kind == RoundScope::Kind::kChanged && looks_lost(files_known_, listing.value())) {
    problem = configuration_.host().host.tenants.str() +
              " has lost all its files; nothing is changed: put them back, or say rowhouse reload to remove the tenants";
    listing = make_error(ErrorCode::kInvalid, "tenant files");
  }
  if (!listing.ok()) {
    log_error("tenant files not read; nothing has changed", {{"reason", problem}});
    files_->remind(kDirectoryRetry);
    round_.outcome.problem = problem;
    return end_round();
  }
  FileChanges changes = compare_listings(files_known_, listing.value());
  if (scope.kind == RoundScope::Kind::kTenant) changes.changed = {scope.tenant};
  if (scope.kind == RoundScope::Kind::kAll) {
    changes.changed.clear();
    for (const auto& [name, identity] : listing.value()) changes.changed.push_back(name);
  }
  files_known_ = std::move(listing).value();
  std::erase_if(changes.changed, [this](const std::string& name) {
    if (leaving_tenants_.contains(name)) files_known_.erase(name);  // seen again when it has left
    return !files_known_.contains(name);
  });
  tenant_files_.clear();
  for (const auto& [name, identity] : files_known_) tenant_files_.insert(name);
  for (const std::string& name : changes.removed) remove_tenant(name);
  leftovers_ = std::make_unique<Leftovers>(cgroups_.get());
  round_.accepted_in_pass = changes.removed.size();
  read_tenants(std::move(changes.changed));
}

void Supervisor::read_tenants(std::vector<std::string> names) {
  configuration_.load_tenants(
      files_->directory(), std::move(names),
      [this](const std::string& name, TenantAnswer answer) {
        if (answer.problem.valid()) {
          round_.refused[name] = std::move(answer.problem);
          return;
        }
        round_.refused.erase(name);
        ++round_.accepted_in_pass;
        round_.texts[name] = std::move(answer.text);
        round_.accepted.emplace(name, std::move(answer.former));
      },
      [this] { on_pass_done(); });
}

void Supervisor::on_pass_done() {
  if (stage_ > Stage::kServing) return;
  if (!round_.refused.empty() && round_.accepted_in_pass > 0 && ++round_.passes < kRoundPasses) {
    round_.accepted_in_pass = 0;
    std::vector<std::string> again;
    for (const auto& [name, problem] : round_.refused) again.push_back(name);
    return read_tenants(std::move(again));
  }
  const Status settled = tombstones_->settle(configuration_.tenants(), tenant_files_,
                                             [this](const Trace& trace) { return leftovers_->find(trace); });
  if (!settled.ok()) log_error("cannot write down who has which uid", {{"reason", settled.error()}});
  leftovers_.reset();
  for (auto& [name, problem] : round_.refused) {
    round_.outcome.news.push_back({name, "", TenantChangeKind::kTenantRefused});
    log_warning("tenant file refused; nothing has changed", {{"tenant", name}});
    set_file_problem(name, std::move(problem));
    // What is in force is looked after like any other.
    if (configuration_.tenants().contains(name)) looks_->look(name, ManifestLooks::Depth::kIfChanged);
  }
  for (const auto& [name, former] : round_.accepted) {
    const TenantEntry& tenant = configuration_.tenants().at(name);
    if (!former || *former != tenant) store_tenant(tenant);
    clear_file_problem(name);
    if (!is_remembered(tenant)) continue;
    keep_text(LastGood::Kind::kTenant, tenant, std::move(round_.texts[name]));
    apply_tenant(tenant, former);
  }
  end_round();
}

void Supervisor::end_round() {
  reloading_ = false;
  const Round done = std::move(round_);
  round_ = Round{};
  log_news(done.outcome.news);
  done.on_done(done.outcome);
  if (round_again_ && stage_ == Stage::kServing) files_->remind(TenantFiles::kSettle);
  start_waiting_round();
}

bool Supervisor::wait_for_round(std::function<void()> order) {
  if (waiting_rounds_.size() >= kMaxWaitingRounds) return false;
  waiting_rounds_.push_back(std::move(order));
  return true;
}

void Supervisor::start_waiting_round() {
  if (reloading_ || waiting_rounds_.empty()) return;
  const std::function<void()> order = std::move(waiting_rounds_.front());
  waiting_rounds_.pop_front();
  order();
}

// --- a tenant ----------------------------------------------------------------------------------------------

void Supervisor::apply_tenant(const TenantEntry& tenant, const std::optional<TenantEntry>& former) {
  if (former && *former == tenant) return looks_->look(tenant.name, ManifestLooks::Depth::kIfChanged);
  round_.outcome.news.push_back(
      {tenant.name, "", former ? TenantChangeKind::kTenantChanged : TenantChangeKind::kTenantAdded});
  control_->send(proto::TenantInfo{proto::Name::cut(tenant.name), tenant.uid});
  const bool nothing_before = !former || former->suspensions.empty();
  if (!nothing_before || !tenant.suspensions.empty()) apply_suspension(tenant);
  if (former) {
    const HostConfiguration& host = configuration_.host();
    if (network_of(*former, host) != network_of(tenant, host)) renewed_tenants_.insert(tenant.name);
    for (App* app : apps_of(tenant.name)) {
      release_routes(*app);
      app->keep_routes(tenant.domains);
      take_routes(*app, app->spec());
    }
    for (const ConfigChange& change : compare_tenants(*former, tenant, host)) round_.outcome.changes.push_back(change);
    if (former->plan != tenant.plan) apply_plan(tenant, round_.outcome.changes);
  }
  looks_->look(tenant.name, ManifestLooks::Depth::kForced);
}

std::vector<App*> Supervisor::apps_of(const std::string& tenant) const {
  std::vector<App*> apps;
  for (const auto& [number, app] : apps_) {
    if (app->tenant().name == tenant && !app->leaving()) apps.push_back(app.get());
  }
  return apps;
}

void Supervisor::remove_tenant(const std::string& name) {
  clear_file_problem(name);
  if (!configuration_.tenants().contains(name)) return;
  round_.outcome.news.push_back({name, "", TenantChangeKind::kTenantRemoved});
  looks_->forget(name);
  answer_look_orders(name, CommandOutcome::kNotFound, ProblemText(), {});
  leaving_tenants_.insert(name);
  for (App* app : apps_of(name)) remove_app(*app);
  finish_tenant_if_gone(name);
}

void Supervisor::finish_tenant_if_gone(const std::string& name) {
  if (!leaving_tenants_.contains(name)) return;
  for (const auto& [number, app] : apps_) {
    if (app->tenant().name == name) return;
  }
  leaving_tenants_.erase(name);
  renewed_tenants_.erase(name);
  read_manifests_.erase(name);
  kept_loading_.erase(name);
  if (last_good_ != nullptr) last_good_->forget(name);
  clear_problem(name);
  limits_->forget(name);
  if (auto group = cgroups_->open_existing(tenant_group(name)); group.ok()) {
    tell_usage(0, {name});
    [[maybe_unused]] const Status removed = group.value().remove();
  }
  control_->send(proto::TenantInfo{proto::Name::cut(name), proto::kTenantGone});
  if (const auto tenant = configuration_.tenants().find(name); tenant != configuration_.tenants().end()) {
    keeper_link_.discard({proto::KeptKind::kTenantRecords, tenant->second.uid, 0, 0});
  }
  configuration_.remove_tenant(name);
  answer_removals(name);
  if (files_ != nullptr) files_->remind(TenantFiles::kSettle);  // its file may be there again
}

// --- apps --------------------------------------------------------------------------------------------------

void Supervisor::on_manifest_answer(const std::string& name, ManifestAnswer answer) {
  const auto found = configuration_.tenants().find(name);
  if (found == configuration_.tenants().end() || leaving_tenants_.contains(name)) {
    if (answer.text.valid()) close_foreign_file(std::move(answer.text));
    return;
  }
  const bool ordered_again = answer.ordered_again;
  std::vector<TenantNews> news;
  ProblemText problem;
  if (answer.problem.valid()) {
    log_warning("manifest refused; nothing has changed", {{"tenant", name}});
    problem.reset(::fcntl(answer.problem.get(), F_DUPFD_CLOEXEC, 3));
    set_problem(name, std::move(answer.problem));
    try_kept_manifest(found->second);
  } else if (!answer.unchanged) {
    clear_problem(name);
    read_manifests_.insert(name);
    kept_loading_.erase(name);
    keep_text(LastGood::Kind::kManifest, found->second, std::move(answer.text));
    apply_apps(found->second, std::move(answer.apps), news);
    log_news(news);
  }
  if (!ordered_again) {
    const CommandOutcome outcome = problem.valid() ? CommandOutcome::kFailed : CommandOutcome::kDone;
    answer_look_orders(name, outcome, std::move(problem), news);
  }
  end_first_look(name);
}

void Supervisor::kill_leaving_apps(const std::string& tenant) {
  for (const auto& [number, app] : apps_) {
    if (app->tenant().name == tenant && app->leaving()) app->kill();
  }
}

void Supervisor::apply_apps(const TenantEntry& tenant, Configuration::Apps apps, std::vector<TenantNews>& news) {
  std::vector<App*> removed;
  std::map<std::string, App*> staying;
  for (App* app : apps_of(tenant.name)) {
    const auto spec = apps.find(app->name());
    // What comes into a share, leaves it or loses or gains a companion is one that goes and one that comes.
    if (spec != apps.end() && same_apps(app->spec(), spec->second)) {
      staying[app->name()] = app;
    } else {
      removed.push_back(app);
    }
  }
  // One cohort of apps may be leaving at a time, so that a manifest that changes all the time piles nothing up.
  if (!removed.empty()) kill_leaving_apps(tenant.name);
  for (App* app : removed) {
    for (const App::Identity& identity : app->identities()) {
      news.push_back({tenant.name, identity.name, TenantChangeKind::kAppRemoved});
    }
    remove_app(*app);
  }
  const SpecChange least = renewed_tenants_.erase(tenant.name) > 0 ? SpecChange::kRestart : SpecChange::kNone;
  for (auto& [name, spec] : apps) {
    const auto known = staying.find(name);
    if (const auto conflict = find_route_conflict(tenant, spec)) {
      set_problem(tenant.name, problem_text(*conflict));
    } else if (known != staying.end()) {
      change_app(*known->second, std::move(spec), least, news);
    } else if (!is_taken(tenant.name, spec)) {
      for (const AppFront* front : spec.fronts()) {
        news.push_back({tenant.name, front->settings.name.str(), TenantChangeKind::kAppAdded});
      }
      create_app(tenant, std::move(spec));
    }  // else: it is looked at again when the former one has left
  }
}

void Supervisor::change_app(App& app, AppSpec spec, SpecChange least, std::vector<TenantNews>& news) {
  // Only for a moment; the tenant's manifest is read once more then.
  if (app.switching()) {
    if (least == SpecChange::kRestart) renewed_tenants_.insert(app.tenant().name);
    return looks_->look(app.tenant().name, ManifestLooks::Depth::kForced);
  }
  release_routes(app);
  take_routes(app, spec);
  const SpecChange change = app.change(std::move(spec), least);
  take_routes(app, app.spec());  // what an older generation serves until the new one takes over
  if (change == SpecChange::kNone) return;
  const auto kind = change == SpecChange::kLive ? TenantChangeKind::kAppChanged : TenantChangeKind::kAppRestarts;
  for (const App::Identity& identity : app.identities()) news.push_back({app.tenant().name, identity.name, kind});
}

void Supervisor::remove_app(App& app) {
  release_routes(app);
  app.leave([this, number = app.number()] {
    left_apps_.push_back(number);
    sweep_left_.start(std::chrono::milliseconds(0));
  });
}

void Supervisor::sweep_left_apps() {
  for (const std::uint32_t number : std::exchange(left_apps_, {})) on_app_left(number);
}

void Supervisor::on_app_left(std::uint32_t number) {
  const auto found = apps_.find(number);
  if (found == apps_.end()) return;
  const std::string tenant = found->second->tenant().name, name = found->second->name();
  const std::vector<App::Identity> identities = found->second->identities();
  for (const App::Identity& identity : identities) {
    gateways_->tell_all(proto::AppRemove{identity.number});
    shared_.erase(identity.number);
  }
  tell_app_usage(0, *found->second);
  graveyard_.bury(std::move(found->second));
  apps_.erase(found);
  if (auto group = cgroups_->open_existing(app_group(tenant, name)); group.ok()) {
    [[maybe_unused]] const Status removed = group.value().remove();
  }
  for (const App::Identity& identity : identities) {
    if (const Status forgotten = store_->forget({tenant, identity.name}); !forgotten.ok()) {
      log_error("cannot write down that an app has gone", {{"reason", forgotten.error()}});
    }
  }
  if (leaving_tenants_.contains(tenant)) return finish_tenant_if_gone(tenant);
  // The name may have been given to a new app meanwhile.
  if (stage_ == Stage::kServing) looks_->look(tenant, ManifestLooks::Depth::kForced);
}

// --- orders ------------------------------------------------------------------------------------------------

void Supervisor::on_reload_tenant_order(const proto::ReloadTenantOrder& order) {
  const std::string tenant = order.tenant.str();
  const bool waits = order.with_file && reloading_ && stage_ == Stage::kServing;
  if (waits && wait_for_round([this, order] { on_reload_tenant_order(order); })) return;
  if (stage_ != Stage::kServing || waits) {
    return finish_reload(order.request, CommandOutcome::kBusy, ProblemText(), 0);
  }
  if (!order.with_file) return order_look(tenant, order.request);
  begin_round(RoundScope{RoundScope::Kind::kTenant, tenant}, [this, tenant, request = order.request](
                                                                 const RoundOutcome& outcome) {
    if (outcome.problem) {
      return finish_reload(request, CommandOutcome::kFailed, problem_text(*outcome.problem), 0);
    }
    tell_news(request, outcome.news);
    const auto refused = file_problems_.find(tenant);
    if (refused == file_problems_.end()) return order_look(tenant, request);
    finish_reload(request, CommandOutcome::kFailed, ProblemText(::fcntl(refused->second.get(), F_DUPFD_CLOEXEC, 3)), 0);
  });
}

void Supervisor::order_look(const std::string& tenant, std::uint32_t request) {
  if (!configuration_.tenants().contains(tenant) || leaving_tenants_.contains(tenant)) {
    return finish_reload(request, CommandOutcome::kNotFound, ProblemText(), 0);
  }
  if (look_orders_.size() >= kMaxLookOrders) return finish_reload(request, CommandOutcome::kBusy, ProblemText(), 0);
  look_orders_.emplace(tenant, request);
  looks_->look(tenant, ManifestLooks::Depth::kForced);
}

void Supervisor::answer_look_orders(const std::string& tenant, CommandOutcome outcome, ProblemText problem,
                                    const std::vector<TenantNews>& news) {
  const auto [first, last] = look_orders_.equal_range(tenant);
  for (auto order = first; order != last; ++order) {
    tell_news(order->second, news);
    finish_reload(order->second, outcome,
                  problem.valid() ? ProblemText(::fcntl(problem.get(), F_DUPFD_CLOEXEC, 3)) : ProblemText(), 0);
  }
  look_orders_.erase(first, last);
}

void Supervisor::tell_news(std::uint32_t request, const std::vector<TenantNews>& news) {
  std::uint32_t told = 0;
  for (const TenantNews& each : news) {
    if (told++ == proto::kMaxReloadChanges) return;
    control_->send(proto::TenantChange{request, proto::Name::cut(each.tenant), proto::Name::cut(each.app), each.kind});
  }
}

void Supervisor::finish_reload(std::uint32_t request, CommandOutcome outcome, ProblemText problem,
                               std::uint32_t changes) {
  if (!problem.valid()) problem = problem_text("");
  control_->send(proto::ReloadDone{request, outcome, changes}, {problem.get()});
}

}  // namespace rowhouse::supervisor
