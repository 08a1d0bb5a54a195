// What control is told about tenants: what is wrong with their files, and whether they are suspended.
#include "base/log.h"
#include "supervisor/supervisor.h"

namespace rowhouse::supervisor {

void Supervisor::log_news(const std::vector<TenantNews>& news) {
  for (const TenantNews& each : news) {
    log_info("configuration changed",
             {{"tenant", each.tenant}, {"app", each.app}, {"change", proto::tenant_change_name(each.kind)}});
  }
}

// --- suspension: the tenant file's word, in force for all its apps or for those it names -------------------------------------------------

void Supervisor::apply_suspension(const TenantEntry& tenant) {
  tell_suspension(tenant);
  for (App* app : apps_of(tenant.name)) app->apply_suspension();
}

void Supervisor::tell_suspension(const TenantEntry& tenant) {
  const proto::Name name = proto::Name::cut(tenant.name);
  if (!tenant.suspensions.contains("")) control_->send(proto::TenantSuspension{name, {}, false, {}});
  for (const auto& [app, reason] : tenant.suspensions) {
    control_->send(
        proto::TenantSuspension{name, proto::Name::cut(app), true, proto::SuspensionReason::cut(reason)});
  }
}

// --- problems: of a tenant's file before those of its manifest ---------------------------------------------

void Supervisor::set_file_problem(const std::string& tenant, ProblemText problem) {
  file_problems_[tenant] = std::move(problem);
  tell_problem(tenant);
}

void Supervisor::clear_file_problem(const std::string& tenant) {
  if (file_problems_.erase(tenant) > 0) tell_problem(tenant);
}

void Supervisor::tell_problem(const std::string& tenant) {
  if (control_ == nullptr) return;
  const auto of_file = file_problems_.find(tenant), of_manifest = problems_.find(tenant);
  const proto::Name name = proto::Name::cut(tenant);
  if (of_file != file_problems_.end()) {
    control_->send(proto::TenantProblem{name, false}, {of_file->second.get()});
  } else if (of_manifest != problems_.end()) {
    control_->send(proto::TenantProblem{name, false}, {of_manifest->second.get()});
  } else {
    control_->send(proto::TenantProblem{name, true}, {problem_text("").get()});
  }
}

}  // namespace rowhouse::supervisor
