// The status call: one query for each tenant that the caller may see, then one answer.
#include <algorithm>
#include <utility>

#include "control/api.h"
#include "control/status_json.h"

namespace rowhouse::control {

void Api::start_status(const Call& call) {
  if (!check_method(call, kReadMethods) || !check_parameters(call, {"tenant", "app"}) || !check_body(call))
    return;
  StatusWork work;
  work.uid = call.uid;
  work.tenant = call.target.parameter("tenant");
  work.app = call.target.parameter("app");
  if (work.tenant.empty() && !work.app.empty()) {
    fail(call.id, {400, "bad_request", "app needs tenant beside it.", "", ""});
    return;
  }
  const bool names_ok = work.app.empty() || is_name(work.app);
  if (!work.tenant.empty() && (!names_ok || !parts_.registry.may_see(call.uid, work.tenant))) {
    fail_not_found(call.id, work.app.empty() ? work.tenant : work.tenant + "/" + work.app);
    return;
  }
  const bool all = work.tenant.empty() && parts_.registry.role_of(call.uid) == Role::kAdmin;
  if (all || !work.tenant.empty()) {
    work.waiting = {work.tenant};
  } else {
    work.waiting = parts_.registry.tenants_of(call.uid);
  }
  status_work_[call.id] = std::move(work);
  ask_next_tenant(call.id);
}

void Api::ask_next_tenant(ConnectionId id) {
  StatusWork& work = status_work_[id];
  if (work.waiting.empty()) {
    finish_status(id);
    return;
  }
  const std::string tenant = work.waiting.back();
  work.waiting.pop_back();
  parts_.inquiries.query(id, tenant, work.app,
                         [this, id](auto found) { on_tenant_status(id, std::move(found)); });
}

void Api::on_tenant_status(ConnectionId id, std::optional<StatusFound> found) {
  const auto work = status_work_.find(id);
  if (work == status_work_.end()) return;
  if (!found) {
    status_work_.erase(work);
    fail_unavailable(id);
    return;
  }
  for (AppStatus& app : found->apps) {
    // Nobody sees a foreign app, whatever was answered.
    if (parts_.registry.may_see(work->second.uid, app.info.tenant.str())) {
      work->second.found.apps.push_back(std::move(app));
    }
  }
  for (auto& [name, tenant] : found->tenants) {
    if (parts_.registry.may_see(work->second.uid, name)) work->second.found.tenants[name] = tenant;
  }
  ask_next_tenant(id);
}

void Api::finish_status(ConnectionId id) {
  StatusWork work = std::move(status_work_[id]);
  status_work_.erase(id);
  if (!work.app.empty() && work.found.apps.empty()) {
    fail_not_found(id, work.tenant + "/" + work.app);
    return;
  }
  const auto name_of = [](const AppStatus& app) {
    return std::pair(app.info.tenant.view(), app.info.name.view());
  };
  std::sort(work.found.apps.begin(), work.found.apps.end(),
            [&](const AppStatus& a, const AppStatus& b) { return name_of(a) < name_of(b); });
  std::vector<std::string> apps;
  for (const AppStatus& app : work.found.apps) {
    const proto::AppInfo& info = app.info;
    std::string words;
    if (info.exit_cause != proto::Cause::kNone) {
      words = parts_.book.last_words({info.tenant.str(), info.name.str()},
                                     {info.app, info.exit_generation, info.exit_worker});
    }
    apps.push_back(app_json(app, words, parts_.registry.suspension_of({info.tenant.str(), info.name.str()})));
  }
  std::vector<std::string> tenants;
  for (const auto& [name, tenant] : work.found.tenants) tenants.push_back(tenant_json(tenant));
  if (!check_unsent(id, work.uid)) return;
  Answer answer;
  answer.body = status_json(apps, tenants, parts_.registry.problems_for(work.uid, work.tenant));
  send(id, answer);
}

}  // namespace rowhouse::control
