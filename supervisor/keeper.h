// The keeper: the small first process.  It is the parent of every other process (they are cloned with
// CLONE_PARENT), reaps them by pidfd and tells the supervisor how they ended; it starts the supervisor and
// starts it again when it dies.  It parses nothing but the supervisor's fixed messages, and never leaves its
// loop for anything that another process does.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "supervisor/service_manager.h"

namespace rowhouse::supervisor {

class Keeper {
 public:
  // `arguments` are given to the supervisor after its own marker (--supervisor).
  explicit Keeper(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  // Runs until the supervisor ends in order or a signal asks for the end.  The exit status of the program:
  // the supervisor's own when it ended in order (0 good, 1 configuration refused), 1 otherwise.
  int run();

 private:
  struct Process {
    std::uint64_t child = 0;
    pid_t pid = 0;
    UniqueFd pidfd;
  };

  Status open();
  Status open_signals();
  Status start_supervisor();
  void on_signal();
  void pass_reload();
  void on_supervisor_message();
  void on_child_exit(std::uint64_t child);
  void on_supervisor_exit();
  void report_exit(std::uint64_t child, int code, int status);
  void flush_reports();
  void begin_stopping(Instant deadline);
  void kill_children();
  void reap_strangers();
  [[nodiscard]] int wait_ms() const;
  void on_time();

  std::vector<std::string> arguments_;
  SystemClock clock_;
  ServiceManager manager_;
  UniqueFd epoll_;
  UniqueFd signals_;
  UniqueFd socket_;  // to the supervisor
  Process supervisor_;
  std::map<std::uint64_t, Process> children_;
  struct Report {
    std::uint64_t child;
    int code;
    int status;
  };
  std::vector<Report> unsent_;  // exits that the supervisor could not take yet
  bool stopping_ = false;
  bool finished_ = false;
  int exit_status_ = 1;
  Instant stop_deadline_{};
  Instant restart_at_{};  // when a dead supervisor is started again; zero: not waiting
  int quick_deaths_ = 0;
};

}  // namespace rowhouse::supervisor
