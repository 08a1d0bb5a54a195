// rowhouse: the command for operators and customers.  A client of the JSON API that offers nothing which the
// API does not; only `check` and `doctor` work without it.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "base/printable.h"
#include "cli/check_command.h"
#include "cli/doctor/doctor_command.h"
#include "cli/events_command.h"
#include "cli/explain_command.h"
#include "cli/hooks_command.h"
#include "cli/info_command.h"
#include "cli/init_command.h"
#include "cli/invocation.h"
#include "cli/life_command.h"
#include "cli/logs_command.h"
#include "cli/metrics_command.h"
#include "cli/reload_command.h"
#include "cli/report.h"
#include "cli/shell_completion.h"
#include "cli/status_command.h"
#include "cli/tenant_command.h"
#include "cli/top_command.h"
#include "cli/upgrade_command.h"
#include "cli/usage_command.h"

namespace {

using namespace rowhouse::cli;

ExitCode run(const Invocation& invocation) {
  switch (invocation.command) {
    case Command::kStatus: return run_status(invocation);
    case Command::kStart:
    case Command::kStop:
    case Command::kStacks:
    case Command::kRestart: return run_life(invocation);
    case Command::kLogs: return run_logs(invocation);
    case Command::kCheck: return run_check(invocation);
    case Command::kDoctor: return run_doctor(invocation);
    case Command::kInfo: return run_info(invocation);
    case Command::kReload: return run_reload(invocation);
    case Command::kExplain: return run_explain(invocation);
    case Command::kEvents: return run_events(invocation);
    case Command::kUpgrade: return run_upgrade(invocation);
    case Command::kMetrics: return run_metrics(invocation);
    case Command::kUsage: return run_usage(invocation);
    case Command::kTop: return run_top(invocation);
    case Command::kHooks: return run_hooks(invocation);
    case Command::kTenant: return run_tenant(invocation);
    case Command::kApply: return run_apply(invocation);
    case Command::kOp: return run_op(invocation);
    case Command::kAudit: return run_audit(invocation);
    case Command::kInit: return run_init(invocation);
    case Command::kCompletion: return run_completion(invocation);
  }
  return ExitCode::kUsage;
}

ExitCode run_arguments(const std::vector<std::string>& arguments) {
  const char* socket = std::getenv("ROWHOUSE_SOCKET");
  const auto parsed = parse_arguments(arguments, socket != nullptr ? socket : "");
  if (const auto* invocation = std::get_if<Invocation>(&parsed)) return run(*invocation);
  const auto& refusal = std::get<Refusal>(parsed);
  std::fputs(refusal.standard_output.c_str(), stdout);
  std::fputs(refusal.standard_error.c_str(), stderr);
  return refusal.code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const ExitCode code = run_arguments(std::vector<std::string>(argv, argv + argc));
    // What could not be written was not shown.
    if (std::fflush(stdout) != 0 && code == ExitCode::kDone) return static_cast<int>(ExitCode::kFailed);
    return static_cast<int>(code);
  } catch (const std::exception& error) {
    print_error(rowhouse::terminal_safe(error.what()));
    return static_cast<int>(ExitCode::kFailed);
  }
}
