// Session, signals, umask and descriptors: what a process inherits without asking for it.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "proto/lifeline.h"
#include "supervisor/jail/steps.h"

namespace rowhouse::jail {

Status start_session() {
  // SECURITY: run by hand, the steps below would rebuild the host's own mounts ("outside a pid namespace the
  // jail refuses to start", test_start.cc).
  if (::getpid() != 1) return make_error(ErrorCode::kInvalid, "not pid 1 of a pid namespace");
  if (::setsid() < 0 && ::getsid(0) != ::getpid()) return system_error("setsid");
  // exec keeps ignored signals ignored; a worker that inherited an ignored SIGPIPE would be a different
  // program.
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) {
    if (::sigaction(number, &action, nullptr) != 0 && errno != EINVAL) return system_error("sigaction");
  }
  sigset_t none;
  sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) return system_error("sigprocmask");
  ::umask(022);
  return {};
}

Status close_other_descriptors() {
  for (int fd = 0; fd <= proto::kControlFd; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) return system_error("fcntl of an expected descriptor");
  }
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(proto::kControlFd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
    return system_error("getsockopt SO_TYPE");
  if (type != SOCK_SEQPACKET) return make_error(ErrorCode::kInvalid, "control socket");
  if (::fcntl(proto::kControlFd, F_SETFD, FD_CLOEXEC) != 0) return system_error("fcntl FD_CLOEXEC");
  if (::close_range(proto::kControlFd + 1, ~0U, 0) != 0) return system_error("close_range");
  return {};
}

}  // namespace rowhouse::jail
