// rowhouse-worker-pythonX.Y: one process that runs one app's code.  Exec-ed by the steward, as the tenant,
// inside the sandbox, with /dev/null, the log pipe twice, its lifeline and its worker part.  Reads top to
// bottom as a life.
#include <csignal>
#include <cstdio>

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

// Nothing here is ever destroyed: threads of the app may still run when the process leaves.
[[noreturn]] void serve(Lifeline& lifeline, const proto::WorkerPart& part) {
  const SystemClock clock;
  Scheduler scheduler(lifeline, part.threads, clock);
  const Status opened = scheduler.open();
  if (!opened.ok()) say("cannot serve: " + describe(opened.error()));
  if (!opened.ok()) fail(lifeline, StartStep::kThreads);
  if (!write_stacks_on_signal() || !wake_on_signals(scheduler.wake_descriptor())) {
    log_exception("preparing signals");
    fail(lifeline, StartStep::kInterpreter);
  }
  PyOwned application = load(lifeline, part);
  const auto interface = find_interface(application.get(), part.interface);
  if (!interface) fail(lifeline, StartStep::kCallable);
  if (*interface == proto::Interface::kAsgi) {
    serve_asgi(lifeline, scheduler, std::move(application));
  } else {
    serve_wsgi(lifeline, scheduler, std::move(application), part.threads);
  }
  run_exit_functions();
  lifeline.send_drained();
  leave(0);
}

[[noreturn]] void live() {
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
  serve(lifeline, part);
}

}  // namespace
}  // namespace rowhouse::worker

int main() {
  rowhouse::set_process_name("rowhouse-worker");
  rowhouse::worker::live();
}
