// Reading the host file again: what its plans and its `listen` say comes into force, no process is touched.
//
//   order -> loader reads the file -> refused, or an address cannot be had: nothing has changed
//                                  -> compared -> listening sockets, plans, cgroups and gateways renewed -> answer
//
// Then every tenant file is read again (supervisor_live.cc), and the manifests are looked at.
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {
namespace {

using proto::CommandOutcome;
using proto::ConfigKey;
using proto::ReloadEffect;

}  // namespace

void Supervisor::reload(ReloadCallback on_done) {
  if (reloading_ && stage_ == Stage::kServing && wait_for_round([this, on_done] { reload(on_done); })) return;
  if (reloading_ || stage_ != Stage::kServing) return on_done(CommandOutcome::kBusy, ProblemText(), {}, {});
  reloading_ = true;
  configuration_.read_host_again(
      config_path_, [this, on_done = std::move(on_done)](ProblemText problem, HostConfiguration fresh) {
        reloading_ = false;
        if (stage_ != Stage::kServing) return;
        if (!problem.valid()) {
          const auto in_use = check_plans_in_use(fresh, configuration_.tenant_index());
          if (in_use) problem = problem_text(config_path_ + ": " + in_use->sentence);
        }
        std::vector<Door> doors;
        if (!problem.valid()) {
          const auto refused = open_new_doors(fresh.listen, doors);
          if (refused) problem = problem_text(config_path_ + ": " + *refused);
        }
        if (problem.valid()) {
          on_done(CommandOutcome::kFailed, std::move(problem), {}, {});
          return start_waiting_round();
        }
        std::vector<ConfigChange> changes = compare_hosts(configuration_.host(), fresh);
        if (!same_doors(configuration_.host().listen, fresh.listen)) change_doors(fresh.listen, std::move(doors));
        apply_plans(std::move(fresh.plans), changes);
        begin_round(RoundScope{RoundScope::Kind::kAll, ""}, [on_done, changes](const RoundOutcome& outcome) {
          if (outcome.problem) return on_done(CommandOutcome::kFailed, problem_text(*outcome.problem), changes, {});
          on_done(CommandOutcome::kDone, ProblemText(), changes, outcome.news);
        });
      });
}

void Supervisor::apply_plans(std::map<std::string, Plan> plans, std::vector<ConfigChange>& changes) {
  std::set<std::string> changed;
  for (const ConfigChange& change : changes) {
    if (change.effect == ReloadEffect::kAppliedLive) changed.insert(change.plan);
  }
  configuration_.set_plans(std::move(plans));
  if (const Status kept = keep_host(); !kept.ok()) log_error("cannot store the host file", {{"reason", kept.error()}});
  for (const auto& [name, tenant] : configuration_.tenants()) {
    if (changed.contains(tenant.plan)) apply_plan(tenant, changes);
  }
}

void Supervisor::apply_plan(const TenantEntry& tenant, std::vector<ConfigChange>& changes) {
  std::vector<App*> apps;
  for (const auto& [number, app] : apps_) {
    if (app->tenant().name == tenant.name) apps.push_back(app.get());
  }
  const auto note = [&](const std::optional<LimitOutcome>& outcome) {
    if (!outcome) return;
    for (const ConfigKey key : outcome->refused) {
      changes.push_back({tenant.plan, tenant.name, key, ReloadEffect::kNotApplied});
    }
  };
  for (const App* app : apps) app->lift_quota();
  note(limits_->renew(tenant));
  for (App* app : apps) {
    note(app->renew_limits());
    app->renew_gateways();
  }
}

void Supervisor::on_reload_signal() {
  reload([](CommandOutcome outcome, const ProblemText& problem, const std::vector<ConfigChange>& changes,
            const std::vector<TenantNews>& news) {
    if (outcome == CommandOutcome::kFailed) {
      log_error("reload refused; nothing has changed");
      return print_problem(STDERR_FILENO, problem);
    }
    if (outcome == CommandOutcome::kBusy) return log_warning("reload refused: busy");
    for (const ConfigChange& change : changes) {
      log_info("reloaded", {{"plan", change.plan},
                            {"tenant", change.tenant},
                            {"key", proto::config_key_name(change.key)},
                            {"effect", proto::reload_effect_name(change.effect)}});
    }
    log_info("reload done", {{"changes", changes.size()}, {"tenant_changes", news.size()}});
  });
}

void Supervisor::on_reload_order(const proto::ReloadOrder& order) {
  reload([this, request = order.request](CommandOutcome outcome, ProblemText problem,
                                         const std::vector<ConfigChange>& changes,
                                         const std::vector<TenantNews>& news) {
    std::uint32_t told = 0;
    for (const ConfigChange& change : changes) {
      if (told++ == proto::kMaxReloadChanges) break;
      control_->send(proto::ReloadChange{request, proto::Name::cut(change.plan),
                                         proto::Name::cut(change.tenant), change.key, change.effect});
    }
    tell_news(request, news);
    finish_reload(request, outcome, std::move(problem), static_cast<std::uint32_t>(changes.size()));
  });
}

}  // namespace rowhouse::supervisor
