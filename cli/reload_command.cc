#include "cli/reload_command.h"

#include <fmt/format.h>

#include "cli/api_client.h"
#include "cli/changes_text.h"
#include "cli/report.h"

namespace rowhouse::cli {

using nlohmann::json;

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
  print(render_changes(answer));
  const std::uint64_t total = number_at(answer, "changes_total"), shown = answer["changes"].size();
  if (total == 0 && answer["tenants"].empty()) print("Nothing has changed.\n");
  if (total > shown) print(fmt::format("... and {} more.\n", total - shown));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
