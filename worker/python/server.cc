#include "worker/python/server.h"

#include <pthread.h>

#include <cstring>
#include <string>

#include "worker/python/exception_log.h"
#include "worker/python/file_wrapper.h"
#include "worker/python/input_object.h"
#include "worker/python/start_response.h"
#include "worker/python/wsgi_call.h"
#include "worker/say.h"

namespace rowhouse::worker {

Server::Server(Scheduler& scheduler, PyOwned application)
    : scheduler_(scheduler),
      interpreter_(current_interpreter()),
      log_(log_of_this_thread()),
      application_(std::move(application)) {}

bool Server::start_threads(unsigned threads) {
  const PyBorrowed file_wrapper = prepare_file_wrapper_type();
  if (!file_wrapper || !prepare_input_type() || !prepare_start_response_type() ||
      !environs_.prepare(threads, file_wrapper.get())) {
    log_exception("preparing requests");
    return false;
  }
  while (threads_.size() + 1 < threads) {
    pthread_t thread{};
    const int error = ::pthread_create(&thread, nullptr, enter_thread, this);
    if (error != 0) {
      say("cannot start request thread " + std::to_string(threads_.size() + 2) + " of " +
          std::to_string(threads) + ": " + std::strerror(error));
      return false;
    }
    threads_.push_back(thread);
  }
  return true;
}

void* Server::enter_thread(void* server) {
  auto& self = *static_cast<Server*>(server);
  log_from_this_thread_to(self.log_);
  const AttachedThread attached(self.interpreter_);
  self.run_requests();
  return nullptr;
}

void Server::run() {
  run_requests();
  const GilReleased released;
  for (const pthread_t thread : threads_) ::pthread_join(thread, nullptr);
}

void Server::run_requests() {
  WsgiCall call(scheduler_, application_.get(), environs_);
  while (true) {
    Stream* stream = scheduler_.try_next();
    if (stream == nullptr) {
      Scheduler::Next next;
      {
        const GilReleased released;
        next = scheduler_.wait_next();
      }
      if (next.turn == Scheduler::Turn::kEnd) return;
      stream = next.stream;
    }
    if (stream != nullptr) {
      call.run(*stream);
      continue;
    }
    // A signal or the watch asks for attention.
    if (PyErr_CheckSignals() != 0) log_exception("a signal handler of the app");
    scheduler_.confirm_stall();
  }
}

}  // namespace rowhouse::worker
