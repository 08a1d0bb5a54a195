#include "cli/upgrade_command.h"

#include "cli/api_client.h"
#include "cli/report.h"

namespace rowhouse::cli {

ExitCode run_upgrade(const Invocation& invocation) {
  const Reply reply = ApiClient(invocation.socket).post("/v1/upgrade");
  if (exit_code_of(reply) != ExitCode::kDone) return report_failure(reply, invocation.output);
  if (invocation.output == Output::kJson) {
    print(reply.body);
  } else {
    print("The programs on disk run now.\n");
  }
  return ExitCode::kDone;
}

}  // namespace rowhouse::cli
