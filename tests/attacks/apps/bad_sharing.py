"""Places that users of one kernel share: what one leaves there, another one may find."""
import ctypes
import errno
import os
import socket
import threading

IPC_CREAT, IPC_RMID = 0o1000, 0
PTRACE_SEIZE = 0x4206
LIBC = ctypes.CDLL(None, use_errno=True)
KEPT = []  # what must live on after the action that made it


def checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def write(path, text="A", mode=0o666):
    with open(path, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        return file.write(text)


def read(path, size=4096):
    with open(path, "rb") as file:
        return file.read(size).decode(errors="replace")


def count_bytes(path, size):
    with open(path, "rb") as file:
        return len(file.read(size))


def exists(path):
    return os.path.exists(path)


def link(target, path):
    os.symlink(target, path)
    return "linked"


def remove(path):
    os.unlink(path)
    return "removed"


def create_posix_memory(name):
    """What multiprocessing.shared_memory.SharedMemory(create=True) does, readable by all."""
    fd = checked(LIBC.shm_open(name.encode(), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    KEPT.append(fd)
    os.fchmod(fd, 0o666)
    os.ftruncate(fd, 4096)
    return "created"


def attach_posix_memory(name):
    os.close(checked(LIBC.shm_open(name.encode(), os.O_RDWR, 0)))
    return "attached"


def remove_posix_memory(name):
    checked(LIBC.shm_unlink(name.encode()))
    return "removed"


def create_sysv_memory(key):
    return f"created {checked(LIBC.shmget(key, 4096, IPC_CREAT | 0o666)) >= 0}"


def find_sysv_memory(key):
    return f"found {checked(LIBC.shmget(key, 0, 0)) >= 0}"


def remove_sysv_memory(key):
    checked(LIBC.shmctl(checked(LIBC.shmget(key, 0, 0)), IPC_RMID, None))
    return "removed"


def bind_abstract(name):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0" + name)
    listener.listen()
    KEPT.append(listener)
    return "bound"


def connect_abstract(name):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect("\0" + name)
    return "connected"


class Counter:
    """A server on the loopback address that counts who came."""

    def __init__(self):
        self.came = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            self.came += 1
            client.close()


def listen_on_loopback():
    KEPT.append(Counter())
    return KEPT[-1].listener.getsockname()[1]


def count_of_visitors():
    return next(kept for kept in KEPT if isinstance(kept, Counter)).came


def connect_on_loopback(port):
    socket.create_connection(("127.0.0.1", port), 5).close()
    return "connected"


def signal(pid, number=0):
    os.kill(pid, number)
    return "delivered"


def sweep(last):
    """SIGKILL to every number up to `last` but our own, then to everything at once, from a child."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    own, kill = os.getpid(), LIBC.kill
    os.setsid()
    for pid in range(2, last + 1):
        if pid != own:
            kill(pid, 9)
    kill(-1, 9)
    os._exit(0)


def look_into(pid):
    """Whether another process can be signalled, read or traced: for each what the kernel says."""
    return {"kill": outcome(lambda: os.kill(pid, 0)),
            "memory": outcome(lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))),
            "trace": outcome(lambda: trace(pid))}


def trace(pid):
    """From a child: when it ends, the kernel lets go of the traced process."""
    child = os.fork()
    if child == 0:
        os._exit(ctypes.get_errno() if LIBC.ptrace(PTRACE_SEIZE, pid, None, None) < 0 else 0)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(number, os.strerror(number))


def outcome(action):
    try:
        action()
        return "ok"
    except OSError as error:
        return errno.errorcode[error.errno]


def processes():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def own_pid():
    return os.getpid()
