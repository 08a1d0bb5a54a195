#include "worker/python/stacks.h"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <thread>

#include "proto/lifeline.h"
#include "worker/python/py_ref.h"
#include "worker/say.h"

namespace rowhouse::worker {
namespace {

constexpr time_t kAnswerWithinSeconds = 1;

// faulthandler writes the interpreter of the thread that takes the signal, and to one descriptor for each signal: so each
// app of a share has a signal of its own, sent to a thread of its own.
struct ShownApp {
  int log = STDERR_FILENO;
  void (*write)(int) = nullptr;  // faulthandler's handler
  std::atomic<bool> present{false};
  pthread_t thread{};
};
std::array<ShownApp, proto::kMaxAppsPerShare> shown;
std::size_t shown_apps = 0;
sem_t asked;
sem_t answered;

int signal_of(std::size_t app) {
  return proto::kStacksSignal + 1 + static_cast<int>(app);
}

// The number of the descriptor and no file object: the app may replace or close sys.stderr.
bool register_stacks(int number, int descriptor) {
  const PyOwned module(PyImport_ImportModule("faulthandler"));
  const PyOwned method(module ? PyObject_GetAttrString(module.get(), "register") : nullptr);
  // Of a crash: once for the process, to the log of its first app.
  const bool first = number <= proto::kStacksSignal + 1;
  const PyOwned enabled(module && first ? PyObject_CallMethod(module.get(), "enable", "i", descriptor) : nullptr);
  if (first && !enabled) return false;
  const PyOwned arguments(Py_BuildValue("(iiii)", number, descriptor, /*all_threads=*/1, /*chain=*/0));
  if (!method || !arguments) return false;
  const PyOwned none(PyObject_CallObject(method.get(), arguments.get()));
  return static_cast<bool>(none);
}

void on_asked(int /*number*/) {
  ::sem_post(&asked);
}

void on_turn(int number) {
  shown[static_cast<std::size_t>(number - proto::kStacksSignal - 1)].write(number);
  ::sem_post(&answered);
}

void take(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(number, &action, nullptr);
}

bool has_answered() {
  timespec until{};
  ::clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kAnswerWithinSeconds;
  int result = 0;
  while ((result = ::sem_timedwait(&answered, &until)) != 0 && errno == EINTR) {
  }
  return result == 0;
}

void show(std::size_t index) {
  ShownApp& app = shown[index];
  // One that came too late for its own question must not answer this one.
  while (::sem_trywait(&answered) == 0) {
  }
  if (app.present.load() && ::pthread_kill(app.thread, signal_of(index)) == 0 && has_answered()) return;
  log_from_this_thread_to(app.log);
  say("the stacks of this app are missing: its interpreter is not there yet, or its thread does not take signals");
}

[[noreturn]] void answer_questions() {
  for (;;) {
    if (::sem_wait(&asked) != 0) continue;
    for (std::size_t i = 0; i < shown_apps; ++i) show(i);
  }
}

}  // namespace

bool write_stacks_on_signal() {
  return register_stacks(proto::kStacksSignal, STDERR_FILENO);
}

bool write_stacks_of_share_on_signal(const std::vector<int>& logs) {
  ::sem_init(&asked, 0, 0);
  ::sem_init(&answered, 0, 0);
  shown_apps = logs.size();
  for (std::size_t i = 0; i < logs.size(); ++i) {
    shown[i].log = logs[i];
    if (!register_stacks(signal_of(i), logs[i])) return false;
    struct sigaction theirs {};
    ::sigaction(signal_of(i), nullptr, &theirs);
    shown[i].write = theirs.sa_handler;
    take(signal_of(i), on_turn);
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(answer_questions).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  take(proto::kStacksSignal, on_asked);
  return true;
}

void show_in_stacks(std::size_t app) {
  shown[app].thread = ::pthread_self();
  shown[app].present.store(true);
}

}  // namespace rowhouse::worker
