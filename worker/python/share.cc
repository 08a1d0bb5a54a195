#include "worker/python/share.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <string>

#include "base/clock.h"
#include "worker/fork_guard.h"
#include "worker/python/app_life.h"
#include "worker/python/exception_log.h"
#include "worker/python/interpreter.h"
#include "worker/python/share_interpreter.h"
#include "worker/python/stacks.h"
#include "worker/say.h"
#include "worker/share_relay.h"
#include "worker/signals.h"
#include "worker/start.h"

namespace rowhouse::worker {
namespace {

using proto::StartStep;

struct SharedApp {
  std::size_t index = 0;
  const proto::WorkerPart* part = nullptr;
  Lifeline* lifeline = nullptr;
  int log = STDERR_FILENO;
};

// The working directory is a thread's own when it has asked for that, and those that it starts have its.
StartStep enter_own_directory(const proto::WorkerPart& part) {
  if (::unshare(CLONE_FS) == 0) return enter_directory(part);
  say(std::string("a working directory of the app's own cannot be had: ") + std::strerror(errno));
  return StartStep::kDirectory;
}

void* live(void* argument) {
  const SharedApp& app = *static_cast<SharedApp*>(argument);
  log_from_this_thread_to(app.log);
  require(*app.lifeline, enter_own_directory(*app.part));
  if (!enter_new_interpreter(app.part->gil) || !settle_interpreter(*app.part, app.log)) {
    app.lifeline->fail(StartStep::kInterpreter);
  }
  show_in_stacks(app.index);
  Scheduler& scheduler = open_scheduler(*app.lifeline, *app.part);
  serve_app(*app.lifeline, scheduler, *app.part, import_app(*app.lifeline, *app.part));
  app.lifeline->send_drained();
  PyEval_SaveThread();
  // Until the process ends: who asks for stacks needs the thread.
  for (;;) ::pause();
}

// What the others find in their logs, which end here too.
void say_who_failed(const std::deque<SharedApp>& apps, const SharedApp& failed) {
  for (const SharedApp& app : apps) {
    if (&app == &failed) continue;
    log_from_this_thread_to(app.log);
    say("this app shares its process with app '" + failed.part->app + "', which did not start: its log says why");
  }
}

StartStep start_app(ShareRelay& relay, SharedApp& app) {
  pthread_t thread{};
  const int error = ::pthread_create(&thread, nullptr, live, &app);
  if (error == 0) return relay.wait_until_ready(app.index);
  log_from_this_thread_to(app.log);
  say(std::string("cannot start the thread of the app: ") + std::strerror(error));
  return StartStep::kThreads;
}

void start_apps(Lifeline& lifeline, ShareRelay& relay, std::deque<SharedApp>& apps) {
  // One after the other: what they write and how they fail does not mix.
  for (SharedApp& app : apps) {
    const StartStep step = start_app(relay, app);
    if (step == StartStep::kNone) continue;
    say_who_failed(apps, app);
    lifeline.fail(step);
  }
}

std::deque<SharedApp> list_apps(ShareRelay& relay, const proto::WorkerPart& part, const std::vector<UniqueFd>& logs) {
  std::deque<SharedApp> apps;
  apps.push_back({0, &part, &relay.lifeline_of(0), STDERR_FILENO});
  for (const proto::WorkerPart& other : part.others) {
    const std::size_t index = apps.size();
    apps.push_back({index, &other, &relay.lifeline_of(index), logs[index - 1].get()});
  }
  return apps;
}

std::vector<int> logs_of(const std::deque<SharedApp>& apps) {
  std::vector<int> logs;
  for (const SharedApp& app : apps) logs.push_back(app.log);
  return logs;
}

}  // namespace

void serve_share(Lifeline& lifeline, const proto::WorkerPart& part) {
  static const SystemClock clock;
  // For ever, as everything that the apps' threads use.
  static ShareRelay relay(lifeline, clock);
  Status opened = relay.open(1 + part.others.size());
  auto logs = opened.ok() ? relay.receive_logs() : Result<std::vector<UniqueFd>>(opened.error());
  if (!logs.ok()) {
    say("cannot serve the apps of this share: " + describe(logs.error()));
    lifeline.fail(StartStep::kThreads);
  }
  static std::deque<SharedApp> apps = list_apps(relay, part, logs.value());
  if (!write_stacks_of_share_on_signal(logs_of(apps))) {
    log_exception("preparing signals");
    lifeline.fail(StartStep::kInterpreter);
  }
  PyEval_SaveThread();
  start_apps(lifeline, relay, apps);
  take_termination_on(relay.wake_descriptor());
  lifeline.send_ready_of_share(embedded_python().major, embedded_python().minor, relay.event_loops());
  relay.run();
  lifeline.send_drained();
}

}  // namespace rowhouse::worker
