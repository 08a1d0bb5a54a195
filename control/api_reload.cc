// reload: the supervisor reads the host file, the tenants' files and the manifests again, and says what has changed;
// only for administrators.  Of one tenant: also for the tenant, whose manifest alone is read then.
#include <nlohmann/json.hpp>

#include "control/api.h"
#include "control/changes_json.h"

namespace rowhouse::control {

using nlohmann::ordered_json;

void Api::start_reload(const Call& call) {
  if (!check_method(call, kPostMethod)) return;
  if (parts_.registry.role_of(call.uid) != Role::kAdmin) {
    fail(call.id, {403, "forbidden", "Only administrators may reload the host's configuration.", "", ""});
    return;
  }
  if (!check_parameters(call, {}) || !check_body(call)) return;
  parts_.inquiries.reload([this, id = call.id](const std::optional<ReloadFound>& found) {
    if (found) {
      on_reload_done(id, *found);
    } else {
      fail_unavailable(id);
    }
  });
}

void Api::start_reload_tenant(const Call& call) {
  if (!check_method(call, kPostMethod)) return;
  const std::string& tenant = call.target.segments[2];
  if (!is_name(tenant)) {
    fail_not_found(call.id, tenant);
    return;
  }
  const bool admin = parts_.registry.role_of(call.uid) == Role::kAdmin;
  // A tenant that an administrator has just registered may not be known yet: the supervisor says.
  if (!admin && !parts_.registry.may_see(call.uid, tenant)) {
    fail_not_found(call.id, tenant);
    return;
  }
  if (!check_parameters(call, {}) || !check_body(call)) return;
  const auto scope = admin ? Inquiries::TenantScope::kFileAndManifest : Inquiries::TenantScope::kManifest;
  parts_.inquiries.reload_tenant(tenant, scope, [this, tenant, id = call.id](const std::optional<ReloadFound>& found) {
    if (!found) {
      fail_unavailable(id);
    } else if (found->done.outcome == proto::CommandOutcome::kNotFound) {
      fail_not_found(id, tenant);
    } else {
      on_reload_done(id, *found);
    }
  });
}

void Api::on_reload_done(ConnectionId id, const ReloadFound& found) {
  if (found.done.outcome == proto::CommandOutcome::kBusy) {
    fail(id, {409, "busy", "The configuration is being read already, or Rowhouse is starting or stopping.",
              "", ""});
    return;
  }
  if (found.done.outcome != proto::CommandOutcome::kDone) {
    std::string detail;
    for (const std::string& sentence : found.sentences) detail += (detail.empty() ? "" : "\n") + sentence;
    fail(id, {422, "failed", "The configuration is refused; what was in force stays in force.", detail, ""});
    return;
  }
  parts_.chronicle.add_reload(found.done.changes);
  Answer answer;
  answer.body =
      ordered_json{{"outcome", "done"},
                   {"changes", changes_json(found.changes)},
                   {"changes_total", found.done.changes},
                   {"tenants", tenant_changes_json(found.tenants)}}
          .dump() +
      "\n";
  send(id, answer);
}

}  // namespace rowhouse::control
