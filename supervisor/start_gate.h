// Where starts wait for their token of the host's bucket: those that somebody waits for first, else in the order
// in which they came.
#pragma once

#include <deque>

#include "base/loop.h"
#include "supervisor/start_bucket.h"

namespace rowhouse::supervisor {

class StartClient {
 public:
  virtual ~StartClient() = default;
  // Its turn has come; the token is taken.
  virtual void on_start_admitted() = 0;
};

class StartGate {
 public:
  StartGate(uv_loop_t* loop, const Clock& clock, StartBucket::Size size);

  // True: start now.  False: on_start_admitted comes; asking again changes nothing but, perhaps, the kind.
  [[nodiscard]] bool admit(StartClient& client, StartKind kind);
  // It wants nothing any more.
  void cancel(StartClient& client);
  [[nodiscard]] bool is_waiting(const StartClient& client) const;

 private:
  using Queue = std::deque<StartClient*>;
  void on_timer();
  void arm();

  const Clock& clock_;
  StartBucket bucket_;
  Queue demanded_, background_;
  Timer timer_;
};

}  // namespace rowhouse::supervisor
