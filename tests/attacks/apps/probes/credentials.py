"""T-CRED: who tenant code is, and every way to become somebody else."""
import ctypes
import os
import resource
import subprocess
import sys

import raw
from registry import Outcome, all_held, attempt, name_of, probe

CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
PR_GET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_SET_SECUREBITS = 27, 47, 2, 28
PR_CAPBSET_READ = 23
LOCKED_SECUREBITS = 0b11101111  # NOROOT, NO_SETUID_FIXUP, NO_AMBIENT_RAISE and all locks; KEEP_CAPS off
STATUS_CODE = "print(open('/proc/self/status').read())"


def status_of(text=None):
    if text is None:
        with open("/proc/self/status", encoding="ascii") as file:
            text = file.read()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def full_sets(status):
    return [name for name in CAPABILITY_SETS if int(status[name], 16)]


@probe("T-CRED-01")
def all_ids_are_the_tenants_and_there_is_no_group(context):
    ids = [*os.getresuid(), *os.getresgid()]
    status = status_of()
    four = set(status["Uid"].split()) | set(status["Gid"].split())
    held = ids == [context["uid"]] * 6 and os.getgroups() == [] and four == {str(context["uid"])}
    return Outcome(held, f"{sorted(set(ids))} groups {os.getgroups()}")


@probe("T-CRED-02")
def five_capability_sets_are_empty(_context):
    full = full_sets(status_of())
    return Outcome(not full, "all empty" if not full else f"not empty: {', '.join(full)}")


@probe("T-CRED-03")
def no_new_privileges_is_set(_context):
    value = status_of()["NoNewPrivs"]
    return Outcome(value == "1", f"NoNewPrivs {value}")


@probe("T-CRED-04")
def a_filter_of_system_calls_is_on(_context):
    value = status_of()["Seccomp"]
    return Outcome(value == "2", f"Seccomp {value}")


@probe("T-CRED-05")
def root_cannot_be_had_by_asking(_context):
    outcomes = {
        "setresuid(0)": attempt(lambda: os.setresuid(0, 0, 0)), "setuid(0)": attempt(lambda: os.setuid(0)),
        "seteuid(0)": attempt(lambda: os.seteuid(0)), "setresgid(0)": attempt(lambda: os.setresgid(0, 0, 0)),
        "setgroups(0)": attempt(lambda: os.setgroups([0])), "setgroups()": attempt(lambda: os.setgroups([]))}
    return all_held(outcomes, {"EPERM"})


@probe("T-CRED-06")
def a_set_uid_root_program_gives_nothing(context):
    done = subprocess.run([context["setuid_program"], "-u"], capture_output=True, text=True, check=True)
    return Outcome(int(done.stdout) == context["uid"], f"euid {done.stdout.strip()}")


@probe("T-CRED-07")
def an_execed_child_inherits_every_restriction(_context):
    done = subprocess.run([sys.executable or "/usr/bin/python3", "-I", "-S", "-c", STATUS_CODE], capture_output=True,
                          text=True, check=True)
    status = status_of(done.stdout)
    loose = full_sets(status)
    loose += [key for key, wanted in (("NoNewPrivs", "1"), ("Seccomp", "2")) if status[key] != wanted]
    return Outcome(not loose, "as the parent" if not loose else f"loose: {', '.join(loose)}")


@probe("T-CRED-08")
def personality_refuses_every_harmful_flag(_context):
    number = raw.number_of("personality")
    flags = {"ADDR_NO_RANDOMIZE": 0x40000, "MMAP_PAGE_ZERO": 0x100000, "READ_IMPLIES_EXEC": 0x400000,
             "ADDR_COMPAT_LAYOUT": 0x200000, "STICKY_TIMEOUTS": 0x4000000, "PER_SVR4": 1}
    return all_held({name: raw.said(number, value) for name, value in flags.items()}, {"EPERM"})


LIMITS = {
    "T-CRED-10": ("CORE", resource.RLIMIT_CORE, 0), "T-CRED-11": ("NOFILE", resource.RLIMIT_NOFILE, 4096),
    "T-CRED-12": ("MEMLOCK", resource.RLIMIT_MEMLOCK, 64 << 10),
    "T-CRED-13": ("MSGQUEUE", resource.RLIMIT_MSGQUEUE, 0),
    "T-CRED-14": ("RTPRIO", resource.RLIMIT_RTPRIO, 0), "T-CRED-15": ("NICE", resource.RLIMIT_NICE, 0),
    "T-CRED-16": ("SIGPENDING", resource.RLIMIT_SIGPENDING, 4096),
    "T-CRED-17": ("STACK", resource.RLIMIT_STACK, 8 << 20)}


def register_limit(identity, name, number, most):
    def hard_limit(_context):
        hard = resource.getrlimit(number)[1]
        raised = attempt_limit(number, most + 1)
        held = hard == most and raised == "EPERM"
        return Outcome(held, f"hard {'unlimited' if hard == resource.RLIM_INFINITY else hard}, above {most}: {raised}")

    hard_limit.__name__ = f"the_hard_limit_of_{name.lower()}_is_{most}_and_stays"
    probe(identity)(hard_limit)


def attempt_limit(number, value):
    try:
        resource.setrlimit(number, (value, value))
        return "ok"
    except (OSError, ValueError):  # Python turns EPERM into ValueError
        return "EPERM"


for identity_, (name_, number_, most_) in LIMITS.items():
    register_limit(identity_, name_, number_, most_)


@probe("T-CRED-20")
def real_time_scheduling_is_refused(_context):
    outcomes = {name: attempt(lambda p=policy: os.sched_setscheduler(0, p, os.sched_param(1)))
                for name, policy in (("FIFO", os.SCHED_FIFO), ("RR", os.SCHED_RR))}
    return all_held(outcomes, {"EPERM"})


@probe("T-CRED-21")
def a_negative_nice_is_refused(_context):
    return all_held({"nice": attempt(lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))}, {"EPERM", "EACCES"})


@probe("T-CRED-22")
def securebits_are_locked(_context):
    bits = raw.libc.prctl(PR_GET_SECUREBITS, 0, 0, 0, 0)
    return Outcome(bits == LOCKED_SECUREBITS, f"securebits {bits:#x}")


@probe("T-CRED-23")
def the_oom_killer_prefers_tenants(_context):
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        value = int(file.read())

    def lower():
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-1")
    lowered = attempt(lower)
    return Outcome(value == 500 and lowered != "ok", f"oom_score_adj {value}, lower: {lowered}")


@probe("T-CRED-24")
def a_capability_cannot_be_raised(_context):
    ctypes.set_errno(0)
    raw.libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 7, 0, 0)
    ambient = name_of(ctypes.get_errno())
    bounded = [number for number in range(64) if raw.libc.prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1]
    return Outcome(ambient == "EPERM" and not bounded, f"ambient {ambient}, {len(bounded)} in the bounding set")


@probe("T-CRED-25")
def a_process_leads_a_session_of_its_own_without_a_terminal(_context):
    text = attempt(lambda: os.close(os.open("/dev/tty", os.O_RDWR)))
    parent_session = os.getsid(os.getppid())
    held = text in ("ENXIO", "ENOENT") and parent_session == os.getppid()
    return Outcome(held, f"/dev/tty {text}, parent {'leads' if parent_session == os.getppid() else 'is in a session'}")


@probe("T-CRED-26")
def the_umask_is_022_and_no_signal_is_ignored(_context):
    mask = os.umask(0o22)
    with open(f"/proc/{os.getppid()}/status", encoding="ascii") as file:
        ignored = int(status_of(file.read())["SigIgn"], 16)
    # CPython itself ignores SIGPIPE and SIGXFSZ.
    own = (1 << 12) | (1 << 24)
    return Outcome(mask == 0o22 and ignored & ~own == 0, f"umask {mask:03o}, ignored {ignored & ~own:#x}")
