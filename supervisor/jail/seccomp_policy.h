// The system call policy as tables: what an auditor compares with the kernel's list.  Read by
// seccomp_generator at build time only.  Base line: what Docker has allowed for years, so that ordinary
// programs run; differences are marked.  A name that an architecture lacks is passed over; one that
// libseccomp does not know fails the build.
//
// Every number that is in no table and that libseccomp knows is answered EPERM; every other one ENOSYS.
#pragma once

namespace rowhouse::jail {

// clang-format off
inline constexpr const char* kAllowed[] = {
    // files
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup", "dup2",
    "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown",
    "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr",
    "fstat", "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64", "getxattr",
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "ioctl", "lchown", "lgetxattr",
    "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir",
    "mkdirat", "mknod", "mknodat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2",
    "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr",
    "rename", "renameat", "renameat2", "rmdir", "sendfile", "setxattr", "stat", "statfs", "statx", "symlink",
    "symlinkat", "sync", "sync_file_range", "syncfs", "truncate", "umask", "unlink", "unlinkat", "utime",
    "utimensat", "utimes", "write", "writev",
    // waiting and events
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
    "eventfd2", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "pause",
    "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "signalfd", "signalfd4", "timerfd_create",
    "timerfd_gettime", "timerfd_settime",
    // memory; the three of NUMA are beyond the base line: numeric libraries ask for them
    "brk", "get_mempolicy", "madvise", "mbind", "membarrier", "memfd_create", "mincore", "mlock", "mlock2",
    "mlockall", "mmap", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap", "pkey_alloc",
    "pkey_free", "pkey_mprotect", "remap_file_pages", "set_mempolicy",
    // processes and threads
    "arch_prctl", "capget", "capset", "clone", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_waitv", "get_robust_list", "get_thread_area", "getcpu", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getrlimit", "getrusage", "getsid", "gettid", "ioprio_get", "ioprio_set", "kill",
    "personality", "pidfd_open", "pidfd_send_signal", "prctl", "prlimit64", "process_mrelease",
    "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
    "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
    "sched_yield", "set_robust_list", "set_thread_area", "set_tid_address", "setpgid", "setpriority",
    "setrlimit", "setsid", "sigaltstack", "tgkill", "tkill", "unshare", "vfork", "wait4", "waitid",
    // identity: without a capability these can only confirm what is
    "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid", "setfsgid", "setfsuid",
    "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid",
    // sockets
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socket", "socketpair",
    // System V IPC, in an IPC namespace of its own
    "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl",
    "shmdt", "shmget",
    // time and the machine
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "getrandom", "gettimeofday",
    "nanosleep", "setitimer", "sysinfo", "time", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_settime", "times", "uname",
    // a program may put itself behind more walls
    "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
};
// clang-format on

// Allowed calls that are newer than libseccomp 2.5.4; from 424 on all architectures have the same numbers.
inline constexpr int kAllowedNumbers[] = {
    451,  // cachestat
    452,  // fchmodat2
    453,  // map_shadow_stack
    454,  // futex_wake
    455,  // futex_wait
    456,  // futex_requeue
    462,  // mseal
};

// Newer than libseccomp 2.5.4, known and refused.
inline constexpr int kRefusedNumbers[] = {
    467,  // open_tree_attr: of the mount family
};

// Never legitimate in a web application: SIGSYS, which the worker reports before it dies of it.
// clang-format off
inline constexpr const char* kTrapped[] = {
    "create_module", "delete_module", "finit_module", "init_module", "ioperm", "iopl", "kexec_file_load",
    "kexec_load", "open_by_handle_at", "reboot", "swapoff", "swapon",
};
// clang-format on

// Answered ENOSYS, as if the kernel were older: everybody who calls these has another way.  clone3: its flags
// lie behind a pointer, where a filter cannot look.  io_uring, userfaultfd: rich sources of kernel bugs.
// clang-format off
inline constexpr const char* kUnavailable[] = {
    "clone3", "io_uring_enter", "io_uring_register", "io_uring_setup", "memfd_secret", "modify_ldt",
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "userfaultfd",
};
// clang-format on

// Answered EINVAL, as if these descriptors could not be spliced: page-cache writes through spliced pipes were
// bugs of many kernels.  GNU grep with its output on /dev/null and Go's io.Copy fall back on this errno only.
inline constexpr const char* kNotForThese[] = {"splice", "tee", "vmsplice"};

}  // namespace rowhouse::jail
