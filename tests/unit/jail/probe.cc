// Stands where the worker program stands, so that the jail's tests see what a worker would see.  Its worker
// part is a list of NUL-terminated words: a command and its arguments.
//     exec PROGRAM ARGUMENT...   becomes that program, with the log as output and no other descriptor
//     calls                      tries what is forbidden; one line "name errno" each, 0 where it succeeded
//     show PATH...               the content of files
//     descriptors                the open descriptors, one a line
//     environment                the environment, one variable a line
//     wait                       waits for the end of the lifeline
//     orphans COUNT              leaves that many processes behind, which end at once
//     trap                       makes a call that is never legitimate
#include <dirent.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

void say(const char* name, long result) {
  const int error = result == -1 ? errno : 0;
  ::dprintf(1, "%s %s\n", name, error == 0 ? "0" : ::strerrorname_np(error));
}

long open_for(const char* path, int flags) {
  const long fd = ::open(path, flags | O_CLOEXEC, 0644);
  const int error = errno;
  if (fd >= 0) ::close(static_cast<int>(fd));
  errno = error;
  return fd;
}

// A file of the running program itself cannot be replaced (runc's CVE-2019-5736).
void try_files() {
  say("own-program", open_for("/proc/self/exe", O_WRONLY));
  say("usr", open_for("/usr/rowhouse-test", O_WRONLY | O_CREAT));
  say("etc", open_for("/etc/rowhouse-test", O_WRONLY | O_CREAT));
  say("root", open_for("/rowhouse-test", O_WRONLY | O_CREAT));
  say("dev", open_for("/dev/rowhouse-test", O_WRONLY | O_CREAT));
  say("shadow", open_for("/etc/shadow", O_RDONLY));
  say("sysctl", open_for("/proc/sys/kernel/hostname", O_WRONLY));
  say("sysrq", open_for("/proc/sysrq-trigger", O_WRONLY));
  say("steward-memory", open_for("/proc/1/mem", O_RDONLY));
  say("steward-environment", open_for("/proc/1/environ", O_RDONLY));
  say("steward-root", ::access("/proc/1/root/usr", F_OK));
  say("steward-descriptors", open_for("/proc/1/fd/3", O_RDWR));
  say("cgroupfs", ::access("/sys/fs", F_OK));
  say("chmod-null", ::chmod("/dev/null", 0600));
  say("mknod-device", ::mknod("/tmp/null", S_IFCHR | 0666, 0x103));
  say("mknod-fifo", ::mknod("/tmp/fifo", S_IFIFO | 0666, 0));
  say("null", open_for("/dev/null", O_RDWR | O_CREAT | O_TRUNC));
  say("urandom", open_for("/dev/urandom", O_RDONLY));
  say("stdout", open_for("/dev/stdout", O_WRONLY));
  // Files of the process itself, which nothing but Landlock holds back.
  say("own-comm", open_for("/proc/self/comm", O_WRONLY));
  say("own-oom-score", open_for("/proc/self/oom_score_adj", O_WRONLY));
  say("home", open_for((std::string(::getenv("HOME")) + "/made").c_str(), O_WRONLY | O_CREAT));
  say("tmp", open_for("/tmp/made", O_WRONLY | O_CREAT));
  say("shm", open_for("/dev/shm/made", O_WRONLY | O_CREAT));
}

void try_identity() {
  say("setuid", ::syscall(SYS_setuid, 0));
  say("setgid", ::syscall(SYS_setgid, 0));
  say("setgroups", ::syscall(SYS_setgroups, 0, nullptr));
  const rlimit more{4096, 4096}, some_core{1, 1};
  say("rlimit-files", ::setrlimit(RLIMIT_NOFILE, &more));
  say("rlimit-core", ::setrlimit(RLIMIT_CORE, &some_core));
  errno = 0;
  say("nice", ::setpriority(PRIO_PROCESS, 0, -5));
  const sched_param real_time{1};
  say("real-time", ::sched_setscheduler(0, SCHED_FIFO, &real_time));
  say("signal-self", ::kill(0, 0));
  say("kill-steward", ::kill(1, SIGKILL));  // sent, and without effect: pid 1 is immune to its own namespace
}

void try_kernel() {
  say("mount", ::mount("tmpfs", "/tmp", "tmpfs", 0, nullptr));
  say("umount", ::umount2("/tmp", MNT_DETACH));
  say("fsopen", ::syscall(SYS_fsopen, "tmpfs", 0));
  say("open_tree", ::syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1));
  say("pivot_root", ::syscall(SYS_pivot_root, ".", "."));
  say("chroot", ::chroot("/tmp"));
  say("setns", ::syscall(SYS_setns, 0, 0));
  say("unshare-user", ::unshare(CLONE_NEWUSER));
  say("unshare-files", ::unshare(CLONE_FILES));
  say("clone-user", ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  say("clone3", ::syscall(SYS_clone3, nullptr, 0));
  say("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  say("process_vm_readv", ::process_vm_readv(1, nullptr, 0, nullptr, 0, 0));
  say("keyctl", ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -3, 1));
  say("bpf", ::syscall(SYS_bpf, 0, nullptr, 0));
  say("perf", ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
  say("userfaultfd", ::syscall(SYS_userfaultfd, 0));
  say("io_uring", ::syscall(SYS_io_uring_setup, 1, nullptr));
  say("future", ::syscall(9999));
  say("personality", ::personality(ADDR_NO_RANDOMIZE));
  say("socket-packet", ::socket(AF_PACKET, SOCK_RAW, 0));
  say("socket-raw", ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  say("socket-vsock", ::socket(AF_VSOCK, SOCK_STREAM, 0));
  say("socket-netlink-audit", ::socket(AF_NETLINK, SOCK_RAW, 9));
  say("socket-netlink-route", ::socket(AF_NETLINK, SOCK_RAW, 0));
  say("socket-tcp", ::socket(AF_INET, SOCK_STREAM, 0));
}

void show(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) ::dprintf(1, "%s: %s\n", path, ::strerrorname_np(errno));
  char chunk[4096];
  for (ssize_t got = 0; (got = ::read(file, chunk, sizeof chunk)) > 0;) {
    if (::write(1, chunk, static_cast<std::size_t>(got)) != got) std::abort();
  }
  ::close(file);
}

void list_descriptors() {
  for (int fd = 0; fd < 4096; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) ::dprintf(1, "%d\n", fd);
  }
}

void leave_orphans(int count) {
  for (int i = 0; i < count; ++i) {
    if (::fork() != 0) continue;
    if (::fork() == 0) ::_exit(0);
    ::_exit(0);
  }
}

void wait_for_end_of_lifeline() {
  pollfd lifeline{3, 0, 0};
  ::poll(&lifeline, 1, -1);
}

std::vector<std::string> read_part() {
  std::vector<std::string> words;
  std::string word;
  char c;
  while (::read(4, &c, 1) == 1) {
    if (c != '\0') {
      word += c;
      continue;
    }
    words.push_back(word);
    word.clear();
  }
  return words;
}

[[noreturn]] void exec_program(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (std::size_t i = 1; i < words.size(); ++i) arguments.push_back(const_cast<char*>(words[i].c_str()));
  arguments.push_back(nullptr);
  ::close_range(3, ~0U, 0);
  ::execv(arguments[0], arguments.data());
  ::perror("exec");
  ::_exit(126);
}

}  // namespace

int main(int, char** argv, char** environment) {
  const std::vector<std::string> words = read_part();
  const std::string command = words.empty() ? "" : words[0];
  if (command == "exec") exec_program(words);
  if (command == "calls") {
    try_files();
    try_identity();
    try_kernel();
  } else if (command == "show") {
    for (std::size_t i = 1; i < words.size(); ++i) show(words[i].c_str());
  } else if (command == "descriptors") {
    list_descriptors();
  } else if (command == "environment") {
    ::dprintf(1, "%s %s\n", argv[0], argv[1]);
    for (char** variable = environment; *variable != nullptr; ++variable) ::dprintf(1, "%s\n", *variable);
  } else if (command == "wait") {
    ::dprintf(1, "waiting\n");
    wait_for_end_of_lifeline();
  } else if (command == "orphans") {
    leave_orphans(std::atoi(words[1].c_str()));
  } else if (command == "trap") {
    ::syscall(SYS_reboot, 0, 0, 0, nullptr);
  } else {
    return 64;
  }
  return 7;
}
