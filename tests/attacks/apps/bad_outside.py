"""What the tenant does outside the sandbox, from a shell or a cron job, with the same uid."""
import ctypes
import os
import signal
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206


def names_of_all(what):
    """The text of /proc/*/environ or /proc/*/cmdline, of every process that lets us."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/{what}", "rb") as file:
                found.append(file.read().decode(errors="replace"))
        except OSError:
            pass
    return found


def count_in_all(what, text):
    """In how many processes' files a text is seen; our own do not have it."""
    return sum(text in seen for seen in names_of_all(what))


def processes_of(uid):
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == uid or uid in ids_of(name):
                yield int(name)
        except OSError:
            pass


def ids_of(name):
    with open(f"/proc/{name}/status", encoding="ascii", errors="replace") as file:
        line = next(line for line in file if line.startswith("Uid:"))
    return [int(word) for word in line.split()[1:]]


def read_maps(pid):
    """The programs that are mapped, for as long as the kernel lets us look."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return {line.split()[-1] for line in file if "/" in line}


def ambush(uid, seconds, skipped):
    """Tries to open the memory of every process of the uid as soon as it is there; then what was mapped in it.
    Returns programs in whose memory we were, and how often we tried in vain."""
    deadline, seen, refused = time.monotonic() + seconds, {}, 0
    own = {os.getpid(), *skipped}
    while time.monotonic() < deadline:
        for pid in processes_of(uid):
            if pid in own:
                continue
            try:
                memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
                os.close(memory)
                for path in read_maps(pid):
                    seen[path] = seen.get(path, 0) + 1
            except OSError:
                refused += 1
    return {"programs": sorted(path for path in seen if "rowhouse" in path), "refused": refused, "entered": len(seen)}


def trap(uid, seconds, skipped):
    """As ambush(), by ptrace: the names of the processes that could be traced."""
    deadline, caught, refused = time.monotonic() + seconds, {}, 0
    own = {os.getpid(), *skipped}
    while time.monotonic() < deadline:
        for pid in processes_of(uid):
            if pid in own or pid in caught:
                continue
            name = seize(pid)
            if name is None:
                refused += 1
            else:
                caught[pid] = name
    return {"caught": sorted(set(caught.values())), "refused": refused}


def seize(pid):
    """From a child, whose end lets go of the process.  The program that was caught, or None."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        if LIBC.ptrace(PTRACE_SEIZE, pid, None, None) == 0:
            try:
                os.write(write_end, os.readlink(f"/proc/{pid}/exe").encode())
            except OSError as error:
                os.write(write_end, os.strerror(error.errno).encode())
        os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    with os.fdopen(read_end, "rb") as told:
        return told.read().decode() or None


def rename(path, target):
    os.rename(path, target)
    return "renamed"


def spoil(directory):
    """Cuts every library below a directory to nothing and removes the rest."""
    changed = 0
    for parent, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(parent, name)
            if ".so" in name:
                os.truncate(path, 0)
            else:
                os.unlink(path)
            changed += 1
    return changed
