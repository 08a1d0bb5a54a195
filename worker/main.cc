// rowhouse-worker-pythonX.Y: one process that runs one app's code, or that of several apps of one tenant (share).  Exec-ed
// by the steward, as the tenant, inside the sandbox, with /dev/null, the log pipe twice, its lifeline and its worker part.
// As a template (preload) it imports the app and forks workers, which go on from there.  Reads top to bottom as a life.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>

#include "base/process_name.h"
#include "worker/fork_guard.h"
#include "worker/lifeline.h"
#include "worker/python/app_life.h"
#include "worker/python/exception_log.h"
#include "worker/python/interpreter.h"
#include "worker/python/share.h"
#include "worker/python/stacks.h"
#include "worker/python/template.h"
#include "worker/signals.h"
#include "worker/start.h"

namespace rowhouse::worker {
namespace {

using proto::StartStep;

[[noreturn]] void leave(int status) {
  std::fflush(nullptr);
  ::_exit(status);
}

// A worker that a template has forked brings its app; any other imports it.
[[noreturn]] void serve(Lifeline& lifeline, const proto::WorkerPart& part, std::optional<App> app) {
  Scheduler& scheduler = open_scheduler(lifeline, part);
  if (!wake_on_signals(scheduler.wake_descriptor())) {
    log_exception("preparing signals");
    lifeline.fail(StartStep::kInterpreter);
  }
  if (!app) app = import_app(lifeline, part);
  serve_app(lifeline, scheduler, part, *std::move(app));
  lifeline.send_drained();
  leave(0);
}

// Returns in a worker, with the app that the template has imported; ps no longer shows it as a template.
App serve_as_template(Lifeline& lifeline, const proto::WorkerPart& part, char* role_argument) {
  App app = import_app(lifeline, part);
  require(lifeline, settle_template());
  lifeline.send_ready(embedded_python().major, embedded_python().minor, Lifeline::Serving::kThreads);
  serve_forks(lifeline);
  std::memset(role_argument, 0, std::strlen(role_argument));
  return app;
}

// `role_argument`: of a template; a worker has none.
[[noreturn]] void live(char* role_argument) {
  Lifeline lifeline{UniqueFd(proto::kWorkerLifelineFd)};
  report_seccomp_on(lifeline.descriptor());
  install_fork_guard();
  if (!guard_descriptor(lifeline.descriptor())) lifeline.fail(StartStep::kWorkerPart);
  proto::WorkerPart part;
  require(lifeline, read_worker_part(proto::kWorkerPartFd, part));
  apply_environment(part);
  require(lifeline, enter_directory(part));
  require(lifeline, check_virtualenv(part, embedded_python()));
  require(lifeline, check_version(part, embedded_python()));
  if (!start_interpreter(part)) lifeline.fail(StartStep::kInterpreter);
  if (!part.others.empty()) {
    serve_share(lifeline, part);
    leave(0);
  }
  if (!write_stacks_on_signal()) {
    log_exception("preparing signals");
    lifeline.fail(StartStep::kInterpreter);
  }
  std::optional<App> app;
  if (role_argument != nullptr) app = serve_as_template(lifeline, part, role_argument);
  serve(lifeline, part, std::move(app));
}

}  // namespace
}  // namespace rowhouse::worker

int main(int count, char** arguments) {
  const bool is_template = count > 2 && std::strcmp(arguments[2], rowhouse::proto::kTemplateArgument) == 0;
  rowhouse::set_process_name("rowhouse-worker");
  rowhouse::worker::live(is_template ? arguments[2] : nullptr);
}
