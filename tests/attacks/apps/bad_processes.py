"""Processes that will not go, limits that shall not hold, and words to those who rule."""
import ctypes
import os
import resource
import signal
import socket
import struct
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIFELINE = 3
BORN, READY, FAILED, SECCOMP, DRAINED, GO, CHANNEL, DRAIN = 1, 2, 3, 4, 5, 16, 17, 18


def detach_daemon():
    """Forked twice, a session of its own, deaf to SIGTERM and SIGHUP; its pid."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.write(write_end, str(os.getpid()).encode())
            os.close(write_end)
            for fd in range(3, 64):  # nothing that its end could be seen by
                try:
                    os.close(fd)
                except OSError:
                    pass
            while True:
                time.sleep(3600)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as told:
        return int(told.read())


def start_fork_bomb():
    """Processes that fork as long as there is a process left; returns at once."""
    for _ in range(4):
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            while True:
                LIBC.fork()
    return "started"


def stop_everybody():
    """SIGSTOP to all of the sandbox that it reaches, itself last."""
    child = os.fork()
    if child == 0:
        os.kill(-1, signal.SIGSTOP)
        os._exit(0)
    time.sleep(3600)


def leave_orphans(count):
    """Children of children that end when their parent is gone; how many."""
    made = 0
    while made < count:
        child = os.fork()
        if child == 0:
            for _ in range(20):
                if os.fork() == 0:
                    os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
        made += 20
    return made


def record(kind, number=0, version=1, tail=0):
    return struct.pack("<HHIQ", kind, version, number, tail)


def forge_records(count, seconds):
    """Every record that the protocol knows, right ones and wrong ones, `count` times; then what is no record, and some
    with descriptors.  For at most so long: a supervisor that has stopped listening takes no more."""
    lifeline = socket.socket(fileno=os.dup(LIFELINE))
    lifeline.setblocking(False)
    records = [record(READY, 0x030B), record(BORN, 1), record(BORN, 0xFFFFFFFF), record(FAILED, 1), record(FAILED, 999),
               record(DRAINED), record(GO), record(CHANNEL, 0), record(DRAIN), record(77, 5), record(READY, 0, 2),
               record(READY, 0, 1, 9), b"x", b"\xff" * 16]
    deadline, sent = time.monotonic() + seconds, 0
    with open("/dev/null", "rb") as null:
        order = [(text, 0) for text in records] * count
        order += [(record(READY), 8), (record(BORN), 200), (record(READY) + b"x", 0), (b"y" * 4000, 0)] * count
        for text, descriptors in order:
            sent += send(lifeline, text, [null.fileno()] * descriptors, deadline)
    return sent


def send(lifeline, text, descriptors, deadline):
    attached = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))]
    while time.monotonic() < deadline:
        try:
            lifeline.sendmsg([text], attached if descriptors else [])
            return 1
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            return 0
    return 0


def attempt(action):
    try:
        action()
        return "ok"
    except (OSError, ValueError) as error:
        return type(error).__name__ if isinstance(error, ValueError) else os.strerror(error.errno)


def loosen_limits():
    """Each limit of a process upwards, in a child: what the kernel says."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write_end, repr(sorted(loosen().items())).encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    with os.fdopen(read_end, "rb") as told:
        return dict(eval(told.read()))  # pylint: disable=eval-used


def loosen():
    found = {}
    for name in ("CORE", "NOFILE", "MEMLOCK", "MSGQUEUE", "NICE", "RTPRIO", "SIGPENDING"):
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        more = resource.RLIM_INFINITY if hard != resource.RLIM_INFINITY else hard
        found[name] = "unlimited already" if hard == resource.RLIM_INFINITY else attempt(
            lambda kind=kind, more=more: resource.setrlimit(kind, (more, more)))
    found["nice"] = attempt(lambda: os.nice(-5))
    found["real time"] = attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        found["score"] = file.read().strip()
    found["lower score"] = attempt(lambda: write("/proc/self/oom_score_adj", "0"))
    return found


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def tighten_limits():
    """The twin: downwards is allowed."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        os.nice(5)
        os._exit(0 if resource.getrlimit(resource.RLIMIT_NOFILE) == (64, 64) else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def notify(address, text):
    """What sd_notify(3) does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(text.encode(), "\0" + address[1:] if address.startswith("@") else address)
    return "sent"


def environment():
    return dict(os.environ)


def first_environment():
    """As the process was started with it."""
    with open("/proc/self/environ", "rb") as file:
        return file.read().decode(errors="replace")


def descriptors():
    """Open descriptors: what each is, and whether it is kept over an exec."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            kind = os.readlink(f"/proc/self/fd/{name}").split(":")[0]
            found[name] = [kind, os.get_inheritable(int(name))]
        except OSError:
            pass  # the listing's own
    return found
