// rowhouse-worker-pythonX.Y: one process that runs one app's code.  Exec-ed by the steward, as the tenant,
// inside the sandbox, with /dev/null, the log pipe twice, its lifeline and its worker part.  As a template (preload) it
// imports the app and forks workers, which go on from there.  Reads top to bottom as a life.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/clock.h"
#include "base/process_name.h"
#include "worker/fork_guard.h"
#include "worker/lifeline.h"
#include "worker/python/asgi_server.h"
#include "worker/python/exception_log.h"
#include "worker/python/importer.h"
#include "worker/python/interpreter.h"
#include "worker/python/server.h"
#include "worker/python/stacks.h"
#include "worker/python/template.h"
#include "worker/say.h"
#include "worker/scheduler.h"
#include "worker/signals.h"
#include "worker/start.h"

namespace rowhouse::worker {
namespace {

using proto::StartStep;

// What the app leaves behind - its non-daemon threads and atexit callbacks - has this long.
constexpr Duration kExitFunctionsWithin = std::chrono::seconds(5);
constexpr Duration kLastOutputWithin = std::chrono::seconds(2);

[[noreturn]] void leave(int status) {
  std::fflush(nullptr);
  ::_exit(status);
}

[[noreturn]] void fail(Lifeline& lifeline, StartStep step) {
  lifeline.send_failed(step);
  leave(1);
}

void require(Lifeline& lifeline, StartStep step) {
  if (step != StartStep::kNone) fail(lifeline, step);
}

PyOwned load(Lifeline& lifeline, const proto::WorkerPart& part) {
  PyOwned application;
  const StartStep step = load_callable(part, application);
  if (is_forked_child()) leave(1);  // the app forked while it was imported
  require(lifeline, step);
  return application;
}

void tell_ready(Lifeline& lifeline, Scheduler& scheduler, Lifeline::Serving serving) {
  take_termination_on(scheduler.wake_descriptor());
  lifeline.send_ready(embedded_python().major, embedded_python().minor, serving);
}

void end_requests(Scheduler& scheduler) {
  scheduler.end_within(kExitFunctionsWithin);
  const GilReleased released;
  scheduler.flush_all(kLastOutputWithin);
}

void serve_wsgi(Lifeline& lifeline, Scheduler& scheduler, PyOwned application, unsigned threads) {
  static Server server(scheduler, std::move(application));
  if (!server.start_threads(threads)) fail(lifeline, StartStep::kThreads);
  tell_ready(lifeline, scheduler, Lifeline::Serving::kThreads);
  server.run();
  end_requests(scheduler);
}

void serve_asgi(Lifeline& lifeline, Scheduler& scheduler, PyOwned application) {
  AsgiServer::Events events;
  events.on_ready = [&] { tell_ready(lifeline, scheduler, Lifeline::Serving::kEventLoop); };
  events.on_requests_over = [&] { end_requests(scheduler); };
  static AsgiServer server(scheduler, std::move(application), std::move(events));
  if (!server.prepare()) fail(lifeline, StartStep::kInterpreter);
  if (!server.run()) fail(lifeline, StartStep::kStartup);
}

void watch_signals(Lifeline& lifeline, Scheduler& scheduler) {
  if (wake_on_signals(scheduler.wake_descriptor())) return;
  log_exception("preparing signals");
  fail(lifeline, StartStep::kInterpreter);
}

struct App {
  PyOwned callable;
  proto::Interface interface{};
};

App import_app(Lifeline& lifeline, const proto::WorkerPart& part) {
  App app;
  app.callable = load(lifeline, part);
  const auto interface = find_interface(app.callable.get(), part.interface);
  if (!interface) fail(lifeline, StartStep::kCallable);
  app.interface = *interface;
  return app;
}

// Nothing here is ever destroyed: threads of the app may still run when the process leaves.  A worker that a template
// has forked brings its app; any other imports it.
[[noreturn]] void serve(Lifeline& lifeline, const proto::WorkerPart& part, std::optional<App> app) {
  const SystemClock clock;
  Scheduler scheduler(lifeline, part.threads, clock);
  const Status opened = scheduler.open();
  if (!opened.ok()) say("cannot serve: " + describe(opened.error()));
  if (!opened.ok()) fail(lifeline, StartStep::kThreads);
  watch_signals(lifeline, scheduler);
  if (!app) app = import_app(lifeline, part);
  if (app->interface == proto::Interface::kAsgi) {
    serve_asgi(lifeline, scheduler, std::move(app->callable));
  } else {
    serve_wsgi(lifeline, scheduler, std::move(app->callable), part.threads);
  }
  run_exit_functions();
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
  if (!guard_descriptor(lifeline.descriptor())) fail(lifeline, StartStep::kWorkerPart);
  proto::WorkerPart part;
  require(lifeline, read_worker_part(proto::kWorkerPartFd, part));
  apply_environment(part);
  require(lifeline, enter_directory(part));
  require(lifeline, check_virtualenv(part, embedded_python()));
  require(lifeline, check_version(part, embedded_python()));
  if (!start_interpreter(part)) fail(lifeline, StartStep::kInterpreter);
  if (!write_stacks_on_signal()) {
    log_exception("preparing signals");
    fail(lifeline, StartStep::kInterpreter);
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
