"""T-KERN: how much of the kernel tenant code can reach.  A call with zeros for arguments, and a filter that stops it
at the last moment (raw.answers), tells a refusal of ours from one of the kernel's."""
import platform
import signal
import socket

import raw
from registry import Outcome, all_held, probe, works

NAMESPACES = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
              "pid": 0x20000000, "net": 0x40000000}
NEW_TIME = 0x80
X86_64 = platform.machine() == "x86_64"
GARBAGE = 0x5A5A5A5A << 32  # in the half of a register that the kernel does not look at
AF = {"ALG": 38, "VSOCK": 40, "PACKET": 17, "KEY": 15, "RXRPC": 33, "CAN": 29, "TIPC": 30, "SMC": 43, "XDP": 44,
      "BLUETOOTH": 31, "NFC": 39, "PPPOX": 24, "KCM": 41, "RDS": 21, "QIPCRTR": 42}
SOCK_RAW, IPPROTO_MPTCP, SOL_TCP, SOL_UDP, TCP_ULP, UDP_ENCAP = 3, 262, 6, 17, 31, 100
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
S_IFCHR, S_IFBLK, AT_FDCWD = 0o020000, 0o060000, -100

REFUSED = {  # answered EPERM before the kernel looks at an argument
    "T-KERN-04": ("entering_namespaces", ["setns"]),
    "T-KERN-05": ("mounting_the_old_way", ["mount", "umount2"]),
    "T-KERN-06": ("mounting_the_new_way", ["fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "move_mount",
                                           "mount_setattr", "open_tree_attr"]),
    "T-KERN-07": ("changing_the_root", ["chroot", "pivot_root"]),
    "T-KERN-08": ("keyrings", ["add_key", "keyctl", "request_key"]),
    "T-KERN-09": ("bpf", ["bpf"]),
    "T-KERN-10": ("performance_events", ["perf_event_open"]),
    "T-KERN-13": ("tracing", ["ptrace"]),
    "T-KERN-14": ("other_processes_memory", ["process_vm_readv", "process_vm_writev", "process_madvise"]),
    "T-KERN-15": ("comparing_and_stealing_descriptors", ["kcmp", "pidfd_getfd"]),
    "T-KERN-16": ("file_handles", ["name_to_handle_at"]),
    "T-KERN-17": ("watching_whole_file_systems", ["fanotify_init", "fanotify_mark"]),
    "T-KERN-20": ("setting_clocks", ["settimeofday", "clock_settime", "clock_adjtime", "adjtimex"]),
    "T-KERN-21": ("quotas", ["quotactl", "quotactl_fd"]),
    "T-KERN-24": ("accounting_and_the_kernel_log", ["acct", "syslog"]),
    "T-KERN-25": ("naming_the_machine", ["sethostname", "setdomainname"]),
    "T-KERN-26": ("moving_pages", ["migrate_pages", "move_pages"]),
    "T-KERN-27": ("terminals_and_cookies", ["vhangup", "lookup_dcookie"]),
}

UNAVAILABLE = {  # answered ENOSYS, as an older kernel would
    "T-KERN-03": ("clone3", {"clone3": (0, 0)}),
    "T-KERN-11": ("userfaultfd", {"userfaultfd": (-1,)}),
    "T-KERN-12": ("io_uring", {"io_uring_setup": (0, 0), "io_uring_enter": (-1,), "io_uring_register": (-1,)}),
    "T-KERN-22": ("segment_tables", {"modify_ldt": (0, 0, 0)}),
    "T-KERN-23": ("secret_memory", {"memfd_secret": (-1,)}),
    "T-KERN-28": ("posix_message_queues", {"mq_open": (0, 0, 0, 0), "mq_unlink": (0,), "mq_notify": (-1, 0),
                                           "mq_timedsend": (-1, 0, 0, 0, 0), "mq_getsetattr": (-1, 0, 0),
                                           "mq_timedreceive": (-1, 0, 0, 0, 0)}),
}

ORDINARY = (  # what Python itself does not need between the question and the answer
    "accept4", "bind", "capget", "chdir", "chmod", "connect", "copy_file_range", "epoll_create1", "eventfd2",
    "fallocate", "flock", "fork", "get_mempolicy", "getpriority", "getrandom", "inotify_init1", "io_setup", "kill",
    "landlock_create_ruleset", "linkat", "listen", "mbind", "membarrier", "memfd_create", "mincore", "mkdirat",
    "mlock", "msgget", "msync", "pidfd_open", "pipe2", "pkey_alloc", "prlimit64", "renameat2", "sched_setaffinity",
    "semget", "sendfile", "set_mempolicy", "setitimer", "setsid", "setxattr", "shmget", "signalfd4", "statfs",
    "symlinkat", "sync_file_range", "timer_create", "timerfd_create", "utimensat", "vfork", "waitid")

TRAPPED = {
    "T-KERN-30": "open_by_handle_at", "T-KERN-31": "init_module", "T-KERN-32": "finit_module",
    "T-KERN-33": "delete_module", "T-KERN-34": "kexec_load", "T-KERN-35": "kexec_file_load", "T-KERN-36": "reboot",
    "T-KERN-37": "swapon", "T-KERN-38": "swapoff", "T-KERN-39": "iopl", "T-KERN-40": "ioperm"}


def register_refused(identity, title, names):
    def refused(_context):
        return all_held(raw.answers_by_name(names), {"EPERM"})
    refused.__name__ = f"{title}_is_refused_before_the_kernel_looks"
    probe(identity)(refused)


def register_unavailable(identity, title, calls):
    def unavailable(_context):
        numbers = {name: raw.number_of(name) for name in calls}
        said = {name: raw.said(numbers[name], *arguments) for name, arguments in calls.items() if numbers[name] >= 0}
        return all_held(said, {"ENOSYS"})
    unavailable.__name__ = f"{title}_is_answered_as_by_an_older_kernel"
    probe(identity)(unavailable)


def register_trapped(identity, name):
    def trapped(_context):
        return all_held(raw.answers_by_name([name]), set())
    trapped.__name__ = f"{name}_kills_its_caller"
    probe(identity, held_by_signal=signal.SIGSYS)(trapped)


for identity_, (title_, names_) in REFUSED.items():
    register_refused(identity_, title_, names_)
for identity_, (title_, calls_) in UNAVAILABLE.items():
    register_unavailable(identity_, title_, calls_)
for identity_, name_ in TRAPPED.items():
    if X86_64 or name_ not in ("iopl", "ioperm"):
        register_trapped(identity_, name_)


@probe("T-KERN-01")
def no_kind_of_namespace_can_be_unshared(_context):
    number = raw.number_of("unshare")
    kinds = {**NAMESPACES, "time": NEW_TIME, "user in the low half": NAMESPACES["user"] | GARBAGE}
    return all_held(raw.answers({kind: (number, flag) for kind, flag in kinds.items()}), {"EPERM"})


@probe("T-KERN-02")
def no_kind_of_namespace_can_be_cloned(_context):
    number = raw.number_of("clone")
    kinds = {**NAMESPACES, "user in the low half": NAMESPACES["user"] | GARBAGE}
    return all_held(raw.answers({kind: (number, flag | signal.SIGCHLD) for kind, flag in kinds.items()}), {"EPERM"})


@probe("T-KERN-29")
def a_user_namespace_cannot_be_had(_context):
    return all_held({"unshare(CLONE_NEWUSER)": raw.said(raw.number_of("unshare"), NAMESPACES["user"])}, {"EPERM"})


@probe("T-KERN-41")
def pages_cannot_be_spliced(_context):
    said = {name: raw.said(raw.number_of(name), -1, -1, -1, -1, 0, 0) for name in ("splice", "tee", "vmsplice")}
    return all_held(said, {"EINVAL"})


@probe("T-KERN-42")
def input_cannot_be_faked_on_a_terminal(_context):
    number = raw.number_of("ioctl")
    calls = {f"{name}{half}": (number, -1, value | extra, 0) for name, value in
             (("TIOCSTI", TIOCSTI), ("TIOCLINUX", TIOCLINUX)) for half, extra in (("", 0), (" with garbage", GARBAGE))}
    return all_held(raw.answers(calls), {"EPERM"})


@probe("T-KERN-43")
def devices_cannot_be_made(_context):
    calls = {f"mknodat {name}": (raw.number_of("mknodat"), AT_FDCWD, 0, kind | 0o666, 0x103)
             for name, kind in (("character", S_IFCHR), ("block", S_IFBLK))}
    if X86_64:
        calls |= {f"mknod {name}": (raw.number_of("mknod"), 0, kind | 0o666 | GARBAGE, 0x103)
                  for name, kind in (("character", S_IFCHR), ("block", S_IFBLK))}
    return all_held(raw.answers(calls), {"EPERM"})


if X86_64:
    # A kernel without the 32 bit world faults at the instruction.
    @probe("T-KERN-44", held_by_signal=signal.SIGSYS, absent_signal=signal.SIGSEGV)
    def calls_of_the_32_bit_world_kill(_context):
        get_pid = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20; int 0x80; ret
        return Outcome(False, f"int 0x80 answered {'a pid' if raw.run_machine_code(get_pid) > 0 else 'an error'}")

    @probe("T-KERN-45", held_by_signal=signal.SIGSYS)
    def calls_with_the_x32_bit_kill(_context):
        return Outcome(False, f"x32 getpid: {raw.said(0x40000000 | 39)}")


@works("T-KERN-46")
def a_call_from_the_future_is_answered_enosys(_context):
    said = {str(number): raw.said(number) for number in (600, 1000, 100000)}
    assert set(said.values()) == {"ENOSYS"}, said
    return "ENOSYS"


def family_answers(families):
    number = raw.number_of("socket")
    calls = {name: (number, value | extra, socket.SOCK_STREAM, 0) for name, value in families.items()
             for extra in (0, GARBAGE)}
    return raw.answers(calls)


@probe("T-KERN-50")
def exotic_socket_families_do_not_exist(_context):
    return all_held(family_answers(AF), {"EAFNOSUPPORT"})


@probe("T-KERN-51")
def every_other_socket_family_does_not_exist(_context):
    ordinary = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK}
    return all_held(family_answers({str(n): n for n in (*range(64), 1000) if n not in ordinary}), {"EAFNOSUPPORT"})


@probe("T-KERN-52")
def netlink_is_for_routes_only(_context):
    number = raw.number_of("socket")
    calls = {str(protocol): (number, socket.AF_NETLINK, socket.SOCK_RAW, protocol) for protocol in range(1, 24)}
    return all_held(raw.answers(calls), {"EPROTONOSUPPORT"})


@probe("T-KERN-53")
def raw_sockets_do_not_exist(_context):
    number = raw.number_of("socket")
    calls = {f"{family} type {kind}": (number, family, kind, 0) for family in (socket.AF_INET, socket.AF_INET6)
             for kind in (socket.SOCK_RAW, socket.SOCK_SEQPACKET, 4, 6, 10)}
    return all_held(raw.answers(calls), {"EPROTONOSUPPORT"})


@probe("T-KERN-54")
def exotic_transports_do_not_exist(_context):
    number = raw.number_of("socket")
    calls = {f"{family} {name}": (number, family, kind, protocol) for family in (socket.AF_INET, socket.AF_INET6)
             for name, kind, protocol in (("MPTCP", socket.SOCK_STREAM, IPPROTO_MPTCP),
                                          ("SCTP", socket.SOCK_STREAM, 132), ("ICMP", socket.SOCK_DGRAM, 1),
                                          ("UDPLITE", socket.SOCK_DGRAM, 136), ("L2TP", socket.SOCK_DGRAM, 115))}
    return all_held(raw.answers(calls), {"EPROTONOSUPPORT"})


@probe("T-KERN-55")
def tls_offload_and_udp_encapsulation_cannot_be_switched_on(_context):
    number = raw.number_of("setsockopt")
    calls = {f"{name}{half}": (number, -1, level | extra, option | extra, 0, 0)
             for name, level, option in (("TCP_ULP", SOL_TCP, TCP_ULP), ("UDP_ENCAP", SOL_UDP, UDP_ENCAP))
             for half, extra in (("", 0), (" with garbage", GARBAGE))}
    return all_held(raw.answers(calls), {"ENOPROTOOPT"})


@probe("T-KERN-56")
def socket_pairs_are_unix_only(_context):
    number = raw.number_of("socketpair")
    calls = {str(family): (number, family, socket.SOCK_STREAM, 0, 0) for family in (2, 10, 16, 30, 38)}
    return all_held(raw.answers(calls), {"EAFNOSUPPORT"})


@works("T-KERN-57")
def what_is_allowed_reaches_the_kernel(_context):
    """The other side of the question asked above: no ordinary call is refused."""
    said = raw.answers_by_name(ORDINARY)
    stopped = {name: answer for name, answer in said.items() if answer != raw.REACHES}
    assert not stopped, stopped
    return f"{len(said)} calls"
