#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "proto/common_messages.h"
#include "proto/keeper_messages.h"
#include "proto/lifeline.h"

namespace rowhouse::supervisor {
namespace {

using proto::Cause;
using proto::CommandOutcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kMaxGatewayDrain{10'000};
constexpr seconds kControlPatience{3};
constexpr milliseconds kPulsePeriod{250};

}  // namespace

Supervisor::Supervisor(std::string config_path, RunMode mode)
    : config_path_(std::move(config_path)),
      mode_(mode),
      graveyard_(loop_.get()),
      keeper_link_(proto::kControlFd),
      launcher_(keeper_link_),
      configuration_(loop_.get(), launcher_, graveyard_) {}

Supervisor::~Supervisor() = default;

int Supervisor::run() {
  std::string problem;
  auto programs = open_programs(problem);
  if (!programs.ok()) {
    log_error("cannot start", {{"reason", problem}});
    return 1;
  }
  programs_ = std::move(programs).value();
  std::vector<std::string> built;
  for (const PythonProgram& python : programs_.pythons) built.push_back(python.version);
  configuration_.set_programs(programs_.loader.get(), std::move(built));
  ::fcntl(proto::kControlFd, F_SETFD, FD_CLOEXEC);
  auto estate = keeper_link_.fetch();
  if (!estate.ok()) {
    log_error("cannot start", {{"reason", estate.error()}});
    return 1;
  }
  const int keeper = ::fcntl(proto::kControlFd, F_DUPFD_CLOEXEC, 10);
  keeper_ = std::make_unique<PeerLink>(
      loop_.get(), UniqueFd(keeper), proto::Peer::kKeeper,
      PeerLink::Events{[this](proto::IncomingMessage& message) { on_keeper_message(message); },
                       // Without the keeper nobody reaps: everything ends.
                       [this](const char*) { exit_status_ = 2, finish(); }});
  std::vector<proto::IncomingMessage> messages = std::move(estate.value().messages);
  if (estate.value().serving && mode_ == RunMode::kServe) {
    take_over(std::move(estate).value());
  } else {
    configuration_.load_host(config_path_, [this](ProblemText refused) { on_host_loaded(std::move(refused)); });
  }
  for (proto::IncomingMessage& message : messages) on_keeper_message(message);
  loop_.run();
  return exit_status_;
}

void Supervisor::refuse_start(const std::string& sentence) {
  print_problem(mode_ == RunMode::kCheck ? STDOUT_FILENO : STDERR_FILENO, problem_text(sentence));
  exit_status_ = 1;
  finish();
}

// --- apps -----------------------------------------------------------------------------------------------

AppSurroundings Supervisor::surroundings() {
  AppSurroundings around;
  around.loop = loop_.get();
  around.clock = &clock_;
  around.launcher = &launcher_;
  around.programs = &programs_;
  around.graveyard = &graveyard_;
  around.cgroups = cgroups_.get();
  around.limits = limits_.get();
  around.store = &*store_;
  around.rows = rows_.get();
  around.notebook = notebook_.get();
  around.gateways = gateways_.get();
  around.control = control_.get();
  around.host = &configuration_.host();
  around.starts = &*starts_;
  return around;
}

void Supervisor::start_pulse() {
  pulse_ = std::make_unique<Timer>(loop_.get(), [this] {
    for (const auto& [number, app] : apps_) app->on_pulse();
  });
  pulse_->repeat(kPulsePeriod);
}

void Supervisor::set_problem(const std::string& tenant, ProblemText problem) {
  problems_[tenant] = std::move(problem);
  tell_problem(tenant);
}

void Supervisor::clear_problem(const std::string& tenant) {
  if (problems_.erase(tenant) > 0) tell_problem(tenant);
}

// Each app of a share has the share's state and workers, and its own requests.
void Supervisor::tell_app(const proto::Query& query, const App& app) {
  for (const App::Identity& identity : app.identities()) {
    if (!query.app.empty() && query.app.view() != identity.name) continue;
    proto::AppInfo info = app.describe(identity);
    info.request = query.request;
    control_->send(info);
    for (proto::WorkerInfo worker : app.describe_workers(identity)) {
      worker.request = query.request;
      control_->send(worker);
    }
  }
}

void Supervisor::on_query(const proto::Query& query) {
  std::uint32_t told = 0;
  std::set<std::string> tenants;
  std::uint32_t next_after = 0;
  for (auto entry = apps_.upper_bound(query.after_app); entry != apps_.end(); ++entry) {
    const App& app = *entry->second;
    if (!query.tenant.empty() && query.tenant.view() != app.tenant().name) continue;
    if (!query.app.empty() && !app.is_known_as(query.app.view())) continue;
    if (told == proto::kAppsPerQuery) {
      next_after = std::prev(entry)->first;
      break;
    }
    ++told;
    tell_app(query, app);
    tell_app_usage(query.request, app);
    tenants.insert(app.tenant().name);
  }
  tell_usage(query.request, tenants);
  control_->send(proto::QueryEnd{query.request, next_after});
}

void Supervisor::answer(std::uint32_t request, const CommandResult& result) {
  control_->send(proto::CommandDone{request, result.outcome, result.generation, result.worker,
                                    result.ending.cause, result.ending.argument, result.ending.limits});
}

void Supervisor::on_command(const proto::Command& command) {
  App* app = find_app(command.app);
  if (app == nullptr || app->leaving()) return answer(command.request, {CommandOutcome::kNotFound, {}, 0, 0});
  if (command.kind == proto::CommandKind::kStacks) return answer(command.request, app->write_stacks());
  const CommandId id{control_->start_number(), command.request};
  if (app->last_command() == id) {
    // Repeated to a supervisor that took it over: it goes on, or only its answer was lost.
    if (app->last_result()) answer(command.request, *app->last_result());
    return;
  }
  const auto on_done = [this, request = command.request](const CommandResult& result) {
    answer(request, result);
  };
  if (command.kind == proto::CommandKind::kStop && !app->stopping() && stage_ <= Stage::kServing) {
    loading_.erase(app->number());  // a stop overtakes the start or restart that is under way
    app->expect(id);
    return app->stop(on_done);
  }
  if (command.kind != proto::CommandKind::kStop && app->suspended()) {
    return answer(command.request, {CommandOutcome::kSuspended, {}, 0, 0});
  }
  if (app->busy() || loading_.contains(app->number()) || stage_ > Stage::kServing) {
    return answer(command.request, {CommandOutcome::kBusy, {}, 0, 0});
  }
  const bool restarts =
      command.kind == proto::CommandKind::kRestart || command.kind == proto::CommandKind::kRestartHard;
  if (restarts && app->stopped()) {
    return answer(command.request, {CommandOutcome::kConflict, {}, 0, 0});
  }
  // A start reads the manifest anew: one generation, one reading.
  loading_[app->number()] = command.request;
  configuration_.load_manifest(app->tenant(), [this, command, number = app->number()](Configuration::Apps apps,
                                                                                      ProblemText problem) {
    const auto waiting = loading_.find(number);
    if (waiting == loading_.end() || waiting->second != command.request) {
      return answer(command.request, {CommandOutcome::kConflict, {}, 0, 0});
    }
    loading_.erase(waiting);
    apply_command(command, std::move(apps), std::move(problem));
  });
}

void Supervisor::apply_command(const proto::Command& command, Configuration::Apps apps, ProblemText problem) {
  App* app = find_app(command.app);
  if (app == nullptr || app->leaving() || stage_ > Stage::kServing)
    return answer(command.request, {CommandOutcome::kNotFound, {}, 0, 0});
  const TenantEntry& tenant = app->tenant();
  const auto found = apps.find(app->name());
  if (!problem.valid() && found == apps.end()) {
    const bool moved = find_spec(apps, app->name()) != nullptr;
    problem = problem_text(tenant.home + "/" + tenant.manifest + ": app " + app->name() +
                           (moved ? " shares its workers with other apps now" : " is not declared any more"));
  }
  if (!problem.valid() && !same_apps(app->spec(), found->second)) {
    // The look that follows the change does it: what is in the share now has to end first.
    problem = problem_text(tenant.home + "/" + tenant.manifest + ": the apps of the share of app " + app->name() +
                           " are others now; they are ended and started as soon as the manifest is looked at");
  }
  if (!problem.valid()) {
    if (const auto conflict = find_route_conflict(tenant, found->second)) problem = problem_text(*conflict);
  }
  if (problem.valid()) {
    set_problem(tenant.name, std::move(problem));
    return answer(command.request, {CommandOutcome::kFailed, {Cause::kConfig, 0}, 0, 0});
  }
  clear_problem(tenant.name);
  const auto on_done = [this, request = command.request](const CommandResult& result) {
    answer(request, result);
  };
  take_routes(*app, found->second);
  app->expect({control_->start_number(), command.request});
  if (command.kind == proto::CommandKind::kRestart) return app->restart(std::move(found->second), on_done);
  if (command.kind == proto::CommandKind::kRestartHard) {
    return app->restart_hard(std::move(found->second), on_done);
  }
  app->start(std::move(found->second), on_done);
}

// --- events of the others -------------------------------------------------------------------------------

void Supervisor::on_gateway_started(Gateway& gateway) {
  for (const auto& [number, app] : apps_) app->introduce_to(gateway);
}

void Supervisor::on_worker_fault(const proto::WorkerFault& fault) {
  if (App* app = find_app(fault.app)) app->on_worker_fault(fault);
}

void Supervisor::on_app_wanted(std::uint32_t number) {
  if (App* app = find_app(number); app != nullptr && stage_ <= Stage::kServing) app->on_wanted();
}

void Supervisor::on_probed(const proto::Probed& answer) {
  if (App* app = find_app(answer.app)) app->on_probed(answer);
}

void Supervisor::on_access_socket(std::uint32_t gateway, int socket) {
  control_->send(proto::AccessSource{gateway}, {socket});
}

void Supervisor::on_control_started() {
  for (const std::uint32_t uid : configuration_.host().admins) control_->send(proto::ControlAdmin{uid});
  for (const auto& [name, tenant] : configuration_.tenants()) {
    control_->send(proto::TenantInfo{proto::Name::cut(name), tenant.uid});
    if (!tenant.suspensions.empty()) tell_suspension(tenant);
  }
  for (const auto& [name, problem] : problems_) tell_problem(name);
  for (const auto& [name, problem] : file_problems_) tell_problem(name);
  for (const auto& [number, app] : apps_) app->offer_log_pipes();
  gateways_->offer_access_sockets();
}

void Supervisor::on_keeper_message(proto::IncomingMessage& message) {
  if (message.type == proto::MessageType::kShutdown) return shut_down();
  if (message.type == proto::MessageType::kReload) return on_reload_signal();
  if (message.type == proto::MessageType::kPing) {
    const auto ping = proto::decode_message<proto::Ping>(message);
    if (ping.ok()) keeper_link_.tell(proto::Pong{ping.value().nonce});
    return;
  }
  if (message.type == proto::MessageType::kUpgraded) {
    const auto upgraded = proto::decode_message<proto::Upgraded>(message);
    if (upgraded.ok()) on_upgraded(upgraded.value());
    return;
  }
  if (message.type == proto::MessageType::kChildExited) on_child_exited(message);
}

void Supervisor::on_child_exited(const proto::IncomingMessage& message) {
  const auto exited = proto::decode_message<proto::ChildExited>(message);
  if (!exited.ok()) return;
  const auto [child, code, status] = exited.value();
  settle_exit(child, code, status);
  keeper_link_.tell(proto::ExitSeen{child});
}

void Supervisor::settle_exit(std::uint64_t child, int code, int status) {
  if (gateways_ != nullptr && gateways_->on_child_exit(child, code, status)) return;
  if (control_ != nullptr && control_->on_child_exit(child, code, status)) {
    if (stage_ == Stage::kClosingControl) finish();
    return;
  }
  for (const auto& [number, app] : apps_) {
    if (app->on_child_exit(child, code, status)) return;
  }
}

// --- end ------------------------------------------------------------------------------------------------

void Supervisor::shut_down() {
  if (stage_ >= Stage::kRetiringGateways) return;
  const bool serving = gateways_ != nullptr && tenants_loaded_;
  stage_ = Stage::kRetiringGateways;
  looks_.reset();
  files_.reset();
  configuration_.cancel();
  if (!serving) return finish();
  log_info("shutting down");
  milliseconds drain{0};
  for (const auto& [number, app] : apps_) {
    drain = std::max(drain, milliseconds(app->spec().settings.graceful_ms));
  }
  drain = std::min(drain, kMaxGatewayDrain);
  set_patience(drain + seconds(1), [this] { gateways_->kill(); });
  gateways_->retire(drain);
}

void Supervisor::set_patience(milliseconds time, std::function<void()> on_end) {
  patience_ = std::make_unique<Timer>(loop_.get(), std::move(on_end));
  patience_->start(time);
}

void Supervisor::on_all_gateways_retired() {
  if (stage_ != Stage::kRetiringGateways) return;
  stage_ = Stage::kClosingApps;
  patience_.reset();
  apps_closing_ = apps_.size();
  if (apps_closing_ == 0) return on_apps_quiet();
  for (const auto& [number, app] : apps_) {
    app->shut_down([this] {
      if (--apps_closing_ == 0) on_apps_quiet();
    });
  }
}

void Supervisor::on_apps_quiet() {
  stage_ = Stage::kClosingControl;
  if (!control_->running()) return finish();
  tell_last_usage();
  set_patience(kControlPatience, [this] { control_->kill(); });
  control_->close();
}

void Supervisor::finish() {
  if (stage_ == Stage::kDone) return;
  stage_ = Stage::kDone;
  if (last_good_ != nullptr) last_good_->finish();
  configuration_.cancel();
  if (cgroups_ != nullptr) {
    Status cleared = cgroups_->clear(kClearPatienceMs);
    if (cleared.ok()) cleared = cgroups_->remove_parent();
    if (!cleared.ok()) log_error("cgroups are left behind", {{"reason", cleared.error()}});
  }
  if (control_ != nullptr) ::unlink(configuration_.host().host.control_socket.str().c_str());
  for (const proto::ListenRecord& listen : configuration_.host().listen) {
    if (gateways_ != nullptr && !listen.path.view().empty()) ::unlink(listen.path.str().c_str());
  }
  loop_.stop();
}

}  // namespace rowhouse::supervisor
