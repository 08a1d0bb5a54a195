"""Takes as much of one resource as there is.  What is taken stays taken until the process ends or let_go()."""
import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import threading
import time

MIB = 1 << 20
F_SETPIPE_SZ, MADV_NOHUGEPAGE, MAP_NORESERVE = 1031, 15, 0x4000
TAKEN = []


def let_go():
    TAKEN.clear()
    return "let go"


def burn(processes, seconds):
    """Busy processes; returns when they have ended."""
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                pass
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    return len(children)


def take_heap(size):
    for _ in range(size // MIB):
        TAKEN.append(bytearray(b"x" * MIB))
    return f"took {size // MIB} MiB"


def until_refused(size, take):
    """`take` again and again, which returns how many bytes; what was taken and, when that was not all, why."""
    taken = 0
    try:
        while taken < size:
            taken += take()
    except OSError as error:
        return f"took {taken // MIB} MiB, then {os.strerror(error.errno)}"
    return f"took {taken // MIB} MiB"


def take_files(size, path):
    """Memory of a tmpfs."""
    file = open(path, "wb", buffering=0)
    TAKEN.append(file)
    os.unlink(path)
    return until_refused(size, lambda: file.write(b"x" * MIB))


def take_memfd(size):
    fd = os.memfd_create("taken")
    TAKEN.append(os.fdopen(fd, "wb", buffering=0))
    return until_refused(size, lambda: TAKEN[-1].write(b"x" * MIB))


def take_pipe_buffers(size):
    def take():
        ends = os.pipe2(os.O_NONBLOCK)
        TAKEN.extend(os.fdopen(fd, "rb" if n == 0 else "wb", buffering=0) for n, fd in enumerate(ends))
        return TAKEN[-1].write(b"x" * 65536)

    allow_many_descriptors()
    return until_refused(size, take)


def take_socket_buffers(size):
    def take():
        pair = socket.socketpair()
        TAKEN.extend(pair)
        pair[0].setblocking(False)
        return pair[0].send(b"x" * 128 * 1024)

    allow_many_descriptors()
    return until_refused(size, take)


def take_page_tables(size):
    """One byte read in every 2 MiB: a page of tables each, and hardly any other memory."""
    reach = (size // 4096) * 2 * MIB
    area = mmap.mmap(-1, reach, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE, mmap.PROT_READ)
    area.madvise(MADV_NOHUGEPAGE)
    TAKEN.append(area)
    for at in range(0, reach, 2 * MIB):
        area[at]  # pylint: disable=pointless-statement
    return f"took {size // MIB} MiB"


def allow_many_descriptors():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_files(directory, count):
    os.makedirs(directory, exist_ok=True)
    for made in range(count):
        try:
            os.close(os.open(f"{directory}/{made}", os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            return f"{made} files, then {os.strerror(error.errno)}"
    return f"{count} files"


def remove_files(directory):
    for entry in os.scandir(directory):
        os.unlink(entry.path)
    os.rmdir(directory)
    return "removed"


def grow_pipes(count):
    """Pipes of 1 MiB: how many, and what the kernel says to one more."""
    ends, grown = [], 0
    allow_many_descriptors()
    try:
        for _ in range(count):
            pair = os.pipe()
            ends.extend(pair)
            fcntl.fcntl(pair[0], F_SETPIPE_SZ, MIB)
            grown += 1
    except OSError as error:
        return {"grown": grown, "then": os.strerror(error.errno)}
    finally:
        TAKEN.append(ends)
    return {"grown": grown, "then": "no refusal"}


def close_pipes():
    for fd in TAKEN.pop():
        os.close(fd)
    return "closed"


def hold_connections(port, processes, each, seconds, sources=1, request=""):
    """Connections to one address from several processes, held for so long; how many were made."""
    total, children = 0, []
    for number in range(processes):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(int(seconds) + 60)
            os.write(write_end, str(connect_many(port, each, f"127.0.0.{1 + number % sources}", request)).encode())
            time.sleep(seconds)
            os._exit(0)
        os.close(write_end)
        children.append((child, read_end))
    for child, read_end in children:
        total += int(os.read(read_end, 32))
        os.close(read_end)
    threading.Thread(target=lambda: [os.waitpid(child, 0) for child, _ in children], daemon=True).start()
    return total


def connect_many(port, count, source, request):
    allow_many_descriptors()
    made = 0
    for _ in range(count):
        client = socket.socket()
        client.settimeout(2)
        try:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((source, 0))
            client.connect(("127.0.0.1", port))
            if request:
                client.sendall(request.encode())
        except OSError:
            break
        TAKEN.append(client)
        made += 1
    return made


def storm(directory, seconds):
    """Lists /proc and asks for names that do not exist; how often."""
    deadline, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        os.listdir("/proc")
        for number in range(500):
            os.path.exists(f"{directory}/no-{rounds}-{number}")
        rounds += 1
    return rounds


def crash(core_limit):
    """Dies of SIGSEGV in a child, after asking for core files without limit; tells what was granted."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (core_limit, core_limit))
            os.write(write_end, b"granted")
        except (OSError, ValueError) as error:
            os.write(write_end, str(error).encode())
        ctypes.string_at(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as told:
        said = told.read().decode()
    status = os.waitpid(child, 0)[1]
    return {"limit": said, "signal": os.WTERMSIG(status), "core": os.WCOREDUMP(status)}


def shout(seconds, line):
    """Writes lines to the log as fast as they are taken; how many bytes."""
    deadline, written, block = time.monotonic() + seconds, 0, (line + "\n").encode() * max(1, 65536 // len(line))
    while time.monotonic() < deadline:
        written += os.write(2, block)
    return written


def whisper(line):
    os.write(2, (line + "\n").encode())
    return "said"


def sleep(seconds):
    time.sleep(seconds)
    return "slept"


def load_library(path):
    """A library that stays mapped, of which no page was touched that is not needed to load it."""
    TAKEN.append(ctypes.CDLL(path))
    return "loaded"


def call_library():
    """Reads its whole mapping: pages that the file no longer has end the process with SIGBUS."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        parts = [line.split() for line in maps if "bad_native.so" in line]
    total = 0
    for words in parts:
        first, last = (int(word, 16) for word in words[0].split("-"))
        if "r" in words[1]:
            total += sum(ctypes.string_at(at, 1)[0] for at in range(first, last, 4096))
    return total
