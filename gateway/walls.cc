#include "gateway/walls.h"

#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>

namespace rowhouse::gateway {
namespace {

// What is not here answers ENOSYS, as if the kernel did not have it; so does clone3, and the C library falls back to
// clone, whose flags a filter can see.
constexpr const char* kAllowed[] = {
    // connections, channels, the supervisor's socket
    "accept4", "close", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "fcntl", "getpeername",
    "getsockname", "getsockopt", "poll", "ppoll", "read", "readv", "recvfrom", "recvmsg", "sendmsg", "sendto",
    "setsockopt", "shutdown", "write", "writev",
    // files below the directories that were passed to us; there are no others
    "fadvise64", "fstat", "lseek", "newfstatat", "openat2", "pread64", "preadv2", "pwrite64", "readahead", "sendfile", "statx",
    // memory
    "brk", "madvise", "mremap", "munmap",
    // threads, time, numbers by chance, the end
    "clock_getres", "clock_gettime", "clock_nanosleep", "exit", "exit_group", "futex", "getpid", "getrandom", "gettid",
    "getuid", "geteuid", "membarrier", "nanosleep", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list", "sigaltstack", "tgkill", "timerfd_create",
    "timerfd_settime",
};

using FilterContext = std::unique_ptr<void, decltype([](void* context) { seccomp_release(context); })>;

Status failed(int negative_errno, const char* what) {
  errno = -negative_errno;
  return system_error(what);
}

// Passes over a call that this architecture does not have.
Status allow(void* filter, const char* name, std::initializer_list<scmp_arg_cmp> conditions = {}) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return failed(-ENOENT, name);
  if (number < 0) return {};
  const int added = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number,
                                           static_cast<unsigned>(conditions.size()), conditions.begin());
  return added == 0 ? Status() : failed(added, name);
}

// The header's own macros are C's.
constexpr scmp_arg_cmp is(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
constexpr scmp_arg_cmp has_bits(unsigned argument, std::uint64_t mask, std::uint64_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, bits};
}

// Threads, and never a process.
Status allow_threads(void* filter) {
  return allow(filter, "clone", {has_bits(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM)});
}

Status allow_data_memory(void* filter) {
  RH_TRY(allow(filter, "mmap", {has_bits(2, PROT_EXEC, 0)}));
  return allow(filter, "mprotect", {has_bits(2, PROT_EXEC, 0)});
}

Status allow_small_controls(void* filter) {
  for (const unsigned request : {FIONBIO, FIOCLEX}) {
    RH_TRY(allow(filter, "ioctl", {is(1, request)}));
  }
  // A new thread asks for the limit of its stack.
  RH_TRY(allow(filter, "prlimit64", {is(0, 0), is(2, 0)}));
  return allow(filter, "prctl", {is(0, PR_SET_NAME)});
}

Status give_up_capabilities() {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return system_error("prctl CAP_AMBIENT");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0 ? Status() : system_error("capset");
}

}  // namespace

Status enter_empty_root(int empty_directory) {
  if (::fchdir(empty_directory) != 0) return system_error("fchdir to the empty directory");
  if (::chroot(".") != 0) return system_error("chroot to the empty directory");
  ::close(empty_directory);
  return give_up_capabilities();
}

#if defined(__SANITIZE_ADDRESS__)

Status allow_only_needed_calls() {
  return {};
}

#else

Status allow_only_needed_calls() {
  const FilterContext filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (filter == nullptr) return failed(-ENOMEM, "seccomp_init");
  // Also the answer to the x32 bit of x86-64.
  if (const int set = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS); set != 0) {
    return failed(set, "seccomp BADARCH");
  }
  // Requests ask for few numbers again and again: a search tree and not a list.
  if (const int set = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); set != 0) {
    return failed(set, "seccomp OPTIMIZE");
  }
  if (const int set = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); set != 0) {
    return failed(set, "seccomp TSYNC");
  }
  for (const char* name : kAllowed) RH_TRY(allow(filter.get(), name));
  RH_TRY(allow_threads(filter.get()));
  RH_TRY(allow_data_memory(filter.get()));
  RH_TRY(allow_small_controls(filter.get()));
  const int loaded = seccomp_load(filter.get());
  return loaded == 0 ? Status() : failed(loaded, "seccomp_load");
}

#endif

}  // namespace rowhouse::gateway
