// What the request that the calling thread runs has cost so far: CPU time and the wait for the GIL, for END.
//
// The thread's CPU clock is a system call, which a short request must not pay: at most one reading a millisecond at the
// begin of requests, and one at the end of a request that took a millisecond or more.  So CPU time is known only of
// those, and too high by what the thread did since the reading before: less than a millisecond.  Of the waits for the GIL
// only ours are seen, before the call and around reads and writes, not those inside the app.
#pragma once

#include "base/clock.h"
#include "proto/frames.h"

namespace rowhouse::worker {

class CallCost {
 public:
  using CpuClock = Duration (*)();  // of the calling thread
  [[nodiscard]] static Duration read_thread_clock();
  // The calling thread's.
  [[nodiscard]] static CallCost& mine();

  explicit CallCost(CpuClock cpu_clock = read_thread_clock) : cpu_clock_(cpu_clock) {}
  void begin(Instant now);
  void add_gil_wait(Duration waited) { gil_wait_ += waited; }
  [[nodiscard]] proto::End end(Instant now);

 private:
  void read(Instant now);

  CpuClock cpu_clock_;
  Instant begun_{};
  Instant read_at_{};
  Duration cpu_at_read_{};
  Duration gil_wait_{};
};

}  // namespace rowhouse::worker
