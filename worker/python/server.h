// The request threads: the main thread and `threads - 1` more run requests until the worker is drained.
#pragma once

#include <vector>

#include "worker/python/environ.h"
#include "worker/python/py_ref.h"
#include "worker/scheduler.h"

namespace rowhouse::worker {

class Server {
 public:
  Server(Scheduler& scheduler, PyOwned application);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // With the GIL.  False, with a sentence said, when a thread cannot be started; the process then exits.
  [[nodiscard]] bool start_threads(unsigned threads);
  // With the GIL, in the main thread: runs requests until there will be no more, then joins the other
  // threads.
  void run();

 private:
  static void* enter_thread(void* server);
  void run_requests();

  Scheduler& scheduler_;
  PyInterpreterState* interpreter_;
  int log_;  // of the thread that made it
  PyOwned application_;
  EnvironBuilder environs_;
  std::vector<pthread_t> threads_;
};

}  // namespace rowhouse::worker
