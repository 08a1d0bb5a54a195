// rowhouse-control: the JSON API for panels and the CLI, and the logs.  Started by the supervisor, already
// without privileges, with the control socket as descriptor 3; ends when the supervisor does.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "base/message_socket.h"
#include "base/process_name.h"
#include "control/program.h"
#include "proto/lifeline.h"

namespace {

// Every worker's log pipe is a descriptor here.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int die(const char* operation) {
  std::fprintf(stderr, "rowhouse-control: %s: %s\n", operation, std::strerror(errno));
  return 1;
}

}  // namespace

int main() {
  rowhouse::set_log_program("rowhouse-control");
  rowhouse::set_process_name("rowhouse-control");
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return die("prctl PR_SET_DUMPABLE");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return die("prctl PR_SET_NO_NEW_PRIVS");
  std::signal(SIGPIPE, SIG_IGN);
  // Ctrl-C at a terminal is for the supervisor; the last lines of dying workers are still to be read.
  std::signal(SIGINT, SIG_IGN);
  ::umask(027);
  raise_descriptor_limit();
  rowhouse::UniqueFd control(rowhouse::proto::kControlFd);
  if (!rowhouse::set_nonblocking(control.get()).ok()) return die("descriptor 3 is not the control socket");
  return rowhouse::control::Program(std::move(control)).run();
}
