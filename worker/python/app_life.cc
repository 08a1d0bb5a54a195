#include "worker/python/app_life.h"

#include <unistd.h>

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "worker/fork_guard.h"
#include "worker/python/asgi_server.h"
#include "worker/python/importer.h"
#include "worker/python/interpreter.h"
#include "worker/python/server.h"
#include "worker/say.h"
#include "worker/signals.h"

namespace rowhouse::worker {
namespace {

using proto::StartStep;

// What the app leaves behind - its non-daemon threads and atexit callbacks - has this long.
constexpr Duration kExitFunctionsWithin = std::chrono::seconds(5);
constexpr Duration kLastOutputWithin = std::chrono::seconds(2);

// Never destroyed: threads of the app may still run when the process leaves.
template <typename T, typename... Arguments>
T& make_for_ever(Arguments&&... arguments) {
  return *std::make_unique<T>(std::forward<Arguments>(arguments)...).release();
}

PyOwned load(Lifeline& lifeline, const proto::WorkerPart& part) {
  PyOwned application;
  const StartStep step = load_callable(part, application);
  if (is_forked_child()) ::_exit(1);  // the app forked while it was imported
  require(lifeline, step);
  return application;
}

void tell_ready(Lifeline& lifeline, Scheduler& scheduler, Lifeline::Serving serving) {
  // Of a share the main thread takes it.
  if (!lifeline.is_shared()) take_termination_on(scheduler.wake_descriptor());
  lifeline.send_ready(embedded_python().major, embedded_python().minor, serving);
}

void end_requests(Scheduler& scheduler) {
  scheduler.end_within(kExitFunctionsWithin);
  const GilReleased released;
  scheduler.flush_all(kLastOutputWithin);
}

void serve_wsgi(Lifeline& lifeline, Scheduler& scheduler, PyOwned application, unsigned threads) {
  auto& server = make_for_ever<Server>(scheduler, std::move(application));
  if (!server.start_threads(threads)) lifeline.fail(StartStep::kThreads);
  tell_ready(lifeline, scheduler, Lifeline::Serving::kThreads);
  server.run();
  end_requests(scheduler);
}

void serve_asgi(Lifeline& lifeline, Scheduler& scheduler, PyOwned application) {
  AsgiServer::Events events;
  events.on_ready = [&] { tell_ready(lifeline, scheduler, Lifeline::Serving::kEventLoop); };
  events.on_requests_over = [&] { end_requests(scheduler); };
  auto& server = make_for_ever<AsgiServer>(scheduler, std::move(application), std::move(events));
  if (!server.prepare()) lifeline.fail(StartStep::kInterpreter);
  if (!server.run()) lifeline.fail(StartStep::kStartup);
}

}  // namespace

void require(Lifeline& lifeline, StartStep step) {
  if (step != StartStep::kNone) lifeline.fail(step);
}

App import_app(Lifeline& lifeline, const proto::WorkerPart& part) {
  App app;
  app.callable = load(lifeline, part);
  const auto interface = find_interface(app.callable.get(), part.interface);
  if (!interface) lifeline.fail(StartStep::kCallable);
  app.interface = *interface;
  return app;
}

Scheduler& open_scheduler(Lifeline& lifeline, const proto::WorkerPart& part) {
  static const SystemClock clock;
  auto& scheduler = make_for_ever<Scheduler>(lifeline, part.threads, clock);
  const Status opened = scheduler.open();
  if (!opened.ok()) say("cannot serve: " + describe(opened.error()));
  if (!opened.ok()) lifeline.fail(StartStep::kThreads);
  return scheduler;
}

void serve_app(Lifeline& lifeline, Scheduler& scheduler, const proto::WorkerPart& part, App app) {
  if (app.interface == proto::Interface::kAsgi) {
    serve_asgi(lifeline, scheduler, std::move(app.callable));
  } else {
    serve_wsgi(lifeline, scheduler, std::move(app.callable), part.threads);
  }
  run_exit_functions();
}

}  // namespace rowhouse::worker
