#include "control/changes_json.h"

namespace rowhouse::control {

using nlohmann::ordered_json;

ordered_json changes_json(const std::vector<proto::ReloadChange>& found) {
  ordered_json changes = ordered_json::array();
  for (const proto::ReloadChange& change : found) {
    ordered_json entry = ordered_json::object();
    if (!change.plan.empty()) entry["plan"] = change.plan.view();
    if (!change.tenant.empty()) entry["tenant"] = change.tenant.view();
    entry["key"] = proto::config_key_name(change.key);
    entry["effect"] = proto::reload_effect_name(change.effect);
    changes.push_back(std::move(entry));
  }
  return changes;
}

ordered_json tenant_changes_json(const std::vector<proto::TenantChange>& found) {
  ordered_json tenants = ordered_json::array();
  for (const proto::TenantChange& change : found) {
    ordered_json entry{{"tenant", change.tenant.view()}};
    if (!change.app.empty()) entry["app"] = change.app.view();
    entry["change"] = proto::tenant_change_name(change.kind);
    tenants.push_back(std::move(entry));
  }
  return tenants;
}

}  // namespace rowhouse::control
