#include "cli/metrics_command.h"

#include "cli/api_client.h"
#include "cli/report.h"

namespace rowhouse::cli {

ExitCode run_metrics(const Invocation& invocation) {
  const Reply reply = ApiClient(invocation.socket).get("/v1/metrics");
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  print(reply.body);
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
