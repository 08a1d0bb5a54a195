#include "cli/changes_text.h"

#include "cli/report.h"

namespace rowhouse::cli {
namespace {

using nlohmann::json;

std::string effect_text(const std::string& effect) {
  if (effect == "applied_live") return "in force";
  if (effect == "needs_restart") return "in force when an app is restarted: rowhouse restart TENANT/APP";
  if (effect == "needs_daemon_restart") return "in force when rowhoused is started again";
  if (effect == "not_applied") return "refused by the kernel now; tried again at the next start";
  return effect;
}

// "plan starter, memory: in force".
std::string render_change(const json& change) {
  const std::string plan = text_at(change, "plan"), tenant = text_at(change, "tenant");
  std::string text;
  if (!plan.empty()) text += "plan " + plan + ", ";
  if (!tenant.empty()) text += "tenant " + tenant + ", ";
  return text + text_at(change, "key") + ": " + effect_text(text_at(change, "effect")) + "\n";
}

std::string render_tenant_change(const json& change) {
  const std::string app = text_at(change, "app"), kind = text_at(change, "change");
  const std::string who = text_at(change, "tenant") + (app.empty() ? "" : "/" + app);
  if (kind == "tenant_refused") return who + ": refused, what was in force stays; see rowhouse status\n";
  if (kind == "app_changed") return who + ": changed, in force\n";
  if (kind == "app_restarts") return who + ": changed, a new generation is starting\n";
  const std::size_t mark = kind.find('_');
  return who + ": " + (mark == std::string::npos ? kind : kind.substr(mark + 1)) + "\n";
}

}  // namespace

std::string render_changes(const json& answer) {
  const auto list_at = [&answer](const char* key) {
    const bool there = answer.is_object() && answer.contains(key) && answer[key].is_array();
    return there ? answer[key] : json::array();
  };
  std::string text;
  for (const json& change : list_at("changes")) text += render_change(change);
  for (const json& change : list_at("tenants")) text += render_tenant_change(change);
  return text;
}

}  // namespace rowhouse::cli
