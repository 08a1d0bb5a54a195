#include "supervisor/supervisor_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>

#include "proto/lifeline.h"

namespace rowhouse::supervisor {
namespace {

constexpr const char* kOwnProgram = "/proc/self/exe";
constexpr int kParkedProgram = 16;  // out of the way of the control socket's number

}  // namespace

Status SupervisorProgram::open() {
  std::array<char, PATH_MAX> path;
  const ssize_t size = ::readlink(kOwnProgram, path.data(), path.size());
  if (size <= 0 || static_cast<std::size_t>(size) == path.size()) return system_error("readlink own program");
  path_.assign(path.data(), static_cast<std::size_t>(size));
  program_.reset(::open(kOwnProgram, O_RDONLY | O_CLOEXEC));
  if (!program_.valid()) return system_error("open own program");
  return {};
}

Status SupervisorProgram::open_candidate() {
  UniqueFd opened(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!opened.valid()) return system_error("open program");
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) return system_error("fstat program");
  const bool trusted = S_ISREG(status.st_mode) && status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!trusted) {
    errno = EPERM;
    return system_error("program that others can write");
  }
  if ((status.st_mode & S_IXUSR) == 0) {
    errno = EACCES;
    return system_error("program that cannot be executed");
  }
  candidate_ = std::move(opened);
  return {};
}

void SupervisorProgram::exec(int socket, const std::vector<std::string>& arguments) const {
  ::setsid();  // a terminal's Ctrl-C is for the keeper alone
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<char*> argv = {const_cast<char*>("rowhoused"), const_cast<char*>("--supervisor")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int source = candidate_.valid() ? candidate_.get() : program_.get();
  const int program = ::fcntl(source, F_DUPFD_CLOEXEC, kParkedProgram);
  const bool placed = socket == proto::kControlFd ? ::fcntl(socket, F_SETFD, 0) == 0
                                                  : ::dup2(socket, proto::kControlFd) == proto::kControlFd;
  if (placed) ::syscall(SYS_execveat, program, "", argv.data(), environ, AT_EMPTY_PATH);
  ::_exit(127);
}

}  // namespace rowhouse::supervisor
