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

}  // namespace

ExitCode run_reload(const Invocation& invocation) {
  const Reply reply = ApiClient(invocation.socket).post("/v1/reload");
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const json answer = json::parse(reply.body, nullptr, false);
  if (!answer.is_object() || !answer.contains("changes") || !answer["changes"].is_array()) {
    print_error("the daemon's answer is not valid JSON");
    return ExitCode::kFailed;
  }
  for (const json& change : answer["changes"]) print(render_change(change));
  const std::uint64_t total = number_at(answer, "changes_total"), shown = answer["changes"].size();
  if (total == 0) print("Nothing has changed.\n");
  if (total > shown) print(fmt::format("... and {} more.\n", total - shown));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
