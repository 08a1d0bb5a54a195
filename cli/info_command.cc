#include "cli/info_command.h"

#include <fmt/format.h>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/report.h"

namespace rowhouse::cli {

ExitCode run_info(const Invocation& invocation) {
  const Reply reply = ApiClient(invocation.socket).get("/v1/info");
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
    return ExitCode::kDone;
  }
  const auto info = nlohmann::json::parse(reply.body, nullptr, false);
  std::string features;
  if (info.is_object() && info.contains("features")) {
    for (const auto& feature : info["features"]) {
      if (feature.is_string()) features += " " + terminal_safe(feature.get<std::string>());
    }
  }
  print(fmt::format("Daemon:    {}\nAPI:       {}\nYour role: {}\nFeatures: {}\n", text_at(info, "version"),
                    number_at(info, "api"), text_at(info, "role"), features));
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
