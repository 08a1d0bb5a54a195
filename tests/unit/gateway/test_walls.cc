// The gateway's walls in a process that puts them up around itself, as root: what it can do then, and what not.
#include <arpa/inet.h>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "gateway/walls.h"

using namespace rowhouse;

namespace {

// 0 when every check holds behind the walls, else the number of the first that does not.
template <typename Checks>
int behind_walls(Checks checks) {
  std::string empty = std::filesystem::temp_directory_path() / "rowhouse-walls-XXXXXX";
  REQUIRE(::mkdtemp(empty.data()) != nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int directory = ::open(empty.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!gateway::enter_empty_root(directory).ok()) ::_exit(101);
    if (!gateway::allow_only_needed_calls().ok()) ::_exit(102);
    ::_exit(checks());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  std::filesystem::remove(empty);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

bool does_not_exist(long result) {
  return result == -1 && errno == ENOSYS;
}

}  // namespace

#if !defined(__SANITIZE_ADDRESS__)

TEST_CASE("behind its walls a gateway executes nothing, makes no process and opens no socket and no path") {
  CHECK(behind_walls([] {
          char program[] = "/bin/true";
          char* arguments[] = {program, nullptr};
          if (!does_not_exist(::execve(program, arguments, nullptr))) return 1;
          if (!does_not_exist(::syscall(SYS_execveat, 0, "", arguments, nullptr, AT_EMPTY_PATH))) return 2;
          if (!does_not_exist(::syscall(SYS_fork))) return 3;
          if (!does_not_exist(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) return 4;
          if (!does_not_exist(::syscall(SYS_clone3, nullptr, 0))) return 5;
          if (!does_not_exist(::socket(AF_INET, SOCK_STREAM, 0))) return 6;
          if (!does_not_exist(::socket(AF_UNIX, SOCK_STREAM, 0))) return 7;
          sockaddr_in address{};
          if (!does_not_exist(::connect(0, reinterpret_cast<sockaddr*>(&address), sizeof address))) return 8;
          if (!does_not_exist(::bind(0, reinterpret_cast<sockaddr*>(&address), sizeof address))) return 9;
          if (!does_not_exist(::listen(0, 1))) return 10;
          if (!does_not_exist(::open("/", O_RDONLY))) return 11;
          if (!does_not_exist(::kill(::getppid(), 0)) && errno != ENOSYS) return 12;
          if (!does_not_exist(::syscall(SYS_ptrace, 0, 0, 0, 0))) return 13;
          if (!does_not_exist(::chroot("."))) return 14;
          if (!does_not_exist(::unlink("x"))) return 15;
          if (!does_not_exist(::setuid(0))) return 16;
          return 0;
        }) == 0);
}

TEST_CASE("behind its walls memory is never executable") {
  CHECK(behind_walls([] {
          void* data = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          if (data == MAP_FAILED) return 1;
          if (::mprotect(data, 4096, PROT_READ | PROT_EXEC) == 0) return 2;
          if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 3;
          return ::mprotect(data, 4096, PROT_READ) == 0 ? 0 : 4;
        }) == 0);
}

TEST_CASE("behind its walls a gateway still has threads and its descriptors") {
  CHECK(behind_walls([] {
          bool ran = false;
          std::thread([&ran] { ran = true; }).join();
          if (!ran) return 1;
          return ::fcntl(STDERR_FILENO, F_GETFD) >= 0 ? 0 : 2;
        }) == 0);
}

#endif

TEST_CASE("no path leads out of the empty root") {
  std::string empty = std::filesystem::temp_directory_path() / "rowhouse-root-XXXXXX";
  REQUIRE(::mkdtemp(empty.data()) != nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int directory = ::open(empty.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!gateway::enter_empty_root(directory).ok()) ::_exit(1);
    if (::access("/etc/passwd", F_OK) == 0 || ::access("../../etc/passwd", F_OK) == 0) ::_exit(2);
    if (::chroot(".") == 0) ::_exit(3);  // the right has gone
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  std::filesystem::remove(empty);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
