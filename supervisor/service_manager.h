// What the service manager that started us is told (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET
// names. The keeper alone speaks: it is the unit's main process.  Without a manager every call does nothing.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace rowhouse::supervisor {

class ServiceManager {
 public:
  // Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child can speak
  // for us. An error when a manager waits for us and cannot be told.  REQUIRES: no other thread.
  Status open();

  void tell_ready() const { tell("READY=1"); }
  void tell_stopping() const { tell("STOPPING=1"); }
  // Says that we live, twice in each of the manager's watchdog intervals.
  void tell_alive(Instant now);
  // The time until tell_alive has to be called again, at most `most`.
  [[nodiscard]] Duration time_to_alive(Instant now, Duration most) const;

 private:
  void tell(std::string_view state) const;

  UniqueFd socket_;         // connected; invalid without a manager
  Duration alive_every_{};  // zero: no watchdog
  Instant alive_at_{};
};

}  // namespace rowhouse::supervisor
