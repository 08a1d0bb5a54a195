#include "cli/reload_command.h"

#include <fmt/format.h>

#include "cli/api_client.h"
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

ExitCode run_reload(const Invocation& invocation) {
  const std::string& tenant = invocation.subject.tenant;
  const std::string path = tenant.empty() ? "/v1/reload" : "/v1/tenants/" + tenant + "/reload";
  const Reply reply = ApiClient(invocation.socket).post(path);
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json answer = json::parse(reply.body, nullptr, false);
  const auto has_list = [&](const char* key) { return answer.contains(key) && answer[key].is_array(); };
  if (!answer.is_object() || !has_list("changes") || !has_list("tenants")) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  for (const json& change : answer["changes"]) print(render_change(change));
  const std::uint64_t total = number_at(answer, "changes_total"), shown = answer["changes"].size();
  for (const json& change : answer["tenants"]) print(render_tenant_change(change));
  if (total == 0 && answer["tenants"].empty()) print("Nothing has changed.\n");
  if (total > shown) print(fmt::format("... and {} more.\n", total - shown));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
