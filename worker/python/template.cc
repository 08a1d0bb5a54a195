#include "worker/python/template.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "worker/birth.h"
#include "worker/fork_guard.h"
#include "worker/python/exception_log.h"
#include "worker/python/interpreter.h"
#include "worker/say.h"
#include "worker/signals.h"

namespace rowhouse::worker {
namespace {

using proto::StartStep;

constexpr int kExitNotBorn = 127;
// A pool that the app has shut down, or a thread that it has joined, may still be on its way out.
constexpr Duration kThreadsEndWithin = std::chrono::seconds(1);
constexpr int kThreadsNapMs = 5;

[[noreturn]] void leave(int status) {
  std::fflush(nullptr);
  ::_exit(status);
}

Result<unsigned> count_staying_threads() {
  const SystemClock clock;
  const Instant until = clock.now() + kThreadsEndWithin;
  for (;;) {
    RH_ASSIGN(const unsigned threads, count_threads());
    if (threads == 1 || clock.now() >= until) return threads;
    const GilReleased released;  // which a thread needs to end
    ::poll(nullptr, 0, kThreadsNapMs);
  }
}

// " ('pool-1', 'Thread-2')": those that Python knows by name.
std::string thread_names() {
  std::string names;
  const PyOwned threading(PyImport_ImportModule("threading"));
  const PyOwned all(threading ? PyObject_CallMethod(threading.get(), "enumerate", nullptr) : nullptr);
  const PyOwned main(threading ? PyObject_CallMethod(threading.get(), "main_thread", nullptr) : nullptr);
  for (Py_ssize_t i = 0; all && PyList_Check(all.get()) && i < PyList_GET_SIZE(all.get()); ++i) {
    PyObject* const thread = PyList_GET_ITEM(all.get(), i);
    if (thread == main.get()) continue;
    const PyOwned name(PyObject_GetAttrString(thread, "name"));
    const char* const text = name && PyUnicode_Check(name.get()) ? PyUnicode_AsUTF8(name.get()) : nullptr;
    if (text != nullptr) names += (names.empty() ? "'" : ", '") + std::string(text) + "'";
  }
  PyErr_Clear();
  return names.empty() ? " (of a library; Python does not know them)" : " (" + names + ")";
}

StartStep check_threads() {
  const auto threads = count_staying_threads();
  if (threads.ok() && threads.value() == 1) return StartStep::kNone;
  if (!threads.ok()) {
    say("preload: cannot count the threads: " + describe(threads.error()));
    return StartStep::kPreloadThreads;
  }
  const unsigned extra = threads.value() - 1;
  say("preload: importing the app has left " + std::to_string(extra) + (extra == 1 ? " thread" : " threads") +
      " running" + thread_names() +
      ", which a worker forked from it would not have; start them with the first request or in "
      "os.register_at_fork(after_in_child=...), or take 'preload' out of the manifest");
  return StartStep::kPreloadThreads;
}

bool call_gc(PyObject* gc, const char* function) {
  const PyOwned result(PyObject_CallMethod(gc, function, nullptr));
  return static_cast<bool>(result);
}

// In the child's child.  `adopted` tells that the one between has been reaped.
void become_worker(Lifeline& lifeline, Lifeline::TemplateOrder& order, UniqueFd adopted) {
  if (!be_born(order, adopted.get())) ::_exit(kExitNotBorn);
  order = {};
  adopted.reset();
  lifeline.renew();
  report_seccomp_on(lifeline.descriptor());
  forget_fork();
  if (!guard_descriptor(lifeline.descriptor())) ::_exit(kExitNotBorn);
  PyOS_AfterFork_Child();
  if (is_forked_child()) leave(1);  // a hook of the app forked and came back twice
}

enum class Self { kTemplate, kWorker };

// Twice, so that the steward, pid 1, is given the worker as its child when the one between ends.
Self fork_worker(Lifeline& lifeline, Lifeline::TemplateOrder order) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    say(std::string("preload: cannot fork a worker: pipe: ") + std::strerror(errno));
    return Self::kTemplate;
  }
  UniqueFd adopted(ends[0]), not_adopted(ends[1]);
  flush_standard_streams();
  std::fflush(nullptr);
  PyOS_BeforeFork();
  if (is_forked_child()) leave(1);  // a hook of the app forked and came back twice
  const pid_t between = ::fork();
  const int first_error = errno;
  if (between == 0) {
    const pid_t worker = ::fork();
    if (worker != 0) ::_exit(worker < 0 ? errno & 0x7f : 0);
    not_adopted.reset();
    become_worker(lifeline, order, std::move(adopted));
    return Self::kWorker;
  }
  int status = 0;
  // ECHILD where the app ignores SIGCHLD: it has ended all the same.
  while (between > 0 && ::waitpid(between, &status, 0) < 0 && errno == EINTR) {
  }
  not_adopted.reset();
  PyOS_AfterFork_Parent();
  const int error = between < 0 ? first_error : WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  if (error != 0) say(std::string("preload: cannot fork a worker: ") + std::strerror(error));
  return Self::kTemplate;
}

void wait_for_order(Lifeline& lifeline) {
  pollfd waiting{lifeline.descriptor(), POLLIN, 0};
  if (::poll(&waiting, 1, -1) < 0 && PyErr_CheckSignals() != 0) log_exception("a signal handler of the app");
}

}  // namespace

StartStep settle_template() {
  const StartStep threads = check_threads();
  if (threads != StartStep::kNone) return threads;
  const PyOwned gc(PyImport_ImportModule("gc"));
  if (!gc || !call_gc(gc.get(), "collect") || !call_gc(gc.get(), "freeze")) {
    log_exception("preparing the template");
    return StartStep::kInterpreter;
  }
  flush_standard_streams();
  return StartStep::kNone;
}

void serve_forks(Lifeline& lifeline) {
  for (;;) {
    wait_for_order(lifeline);
    auto order = lifeline.receive_template_order();
    if (!order.ok() && order.error().code == ErrorCode::kWouldBlock) continue;
    if (!order.ok()) leave(1);  // the supervisor and the keeper have gone
    if (!order.value()) continue;
    if (order.value()->type == proto::LifelineType::kDrain) {
      flush_standard_streams();
      lifeline.send_drained();
      leave(0);
    }
    // A hook of the app's may have started one since.
    if (const StartStep threads = check_threads(); threads != StartStep::kNone) {
      lifeline.send_failed(threads);
      leave(1);
    }
    if (fork_worker(lifeline, *std::move(order.value())) == Self::kWorker) return;
  }
}

}  // namespace rowhouse::worker
