"""Processes, cgroups and mounts as the kernel shows them: what the invariants after every test compare."""
import ctypes
import os
import pathlib
import time
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Process:
    """One process, told apart from a later one with the same number by its start time."""
    pid: int
    start: int
    parent: int
    state: str
    name: str

    def is_alive(self):
        now = read_process(self.pid)
        return now is not None and now.start == self.start


def adopt_orphans():
    """Makes this process the one that orphans of its children fall to, so that none escapes to pid 1."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read_process(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
    return Process(int(pid), int(rest[19]), int(rest[1]), rest[0], name)


def all_processes():
    found = (read_process(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def descendants(pid):
    """Every process below `pid`, without itself."""
    processes, below, wanted = all_processes(), [], {pid}
    while True:
        more = [p for p in processes if p.parent in wanted and p not in below]
        if not more:
            return below
        below += more
        wanted |= {p.pid for p in more}


def children(pid):
    return [process for process in all_processes() if process.parent == pid]


def uids_of(pid):
    """Real, effective, saved and file system uid; None when it has gone."""
    return _ids(pid, "Uid")


def gids_of(pid):
    return _ids(pid, "Gid")


def inner_pid(pid):
    """The pid that a process has in its innermost namespace; None when it has gone."""
    return (_ids(pid, "NSpid") or [None])[-1]


def _ids(pid, key):
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return [int(word) for word in line.split()[1:]]
    except OSError:
        pass
    return None


def processes_of_uids(uids):
    return [p for p in all_processes() if set(uids_of(p.pid) or ()) & set(uids)]


def descriptor_count(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def own_cgroup_roots(pid):
    """The directories named rowhouse-... that `pid` lives below, one for each hierarchy."""
    roots = set()
    try:
        lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return roots
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for mount in cgroup_mounts(controllers):
            parts = pathlib.PurePosixPath(path).parts
            for index, part in enumerate(parts):
                if part.startswith("rowhouse-"):
                    roots.add(pathlib.Path(mount, *parts[1:index + 1]))
    return roots


def cgroup_mounts(controllers):
    """Where the hierarchy of a line of /proc/PID/cgroup is mounted."""
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        kind, options = words[words.index("-") + 1], words[-1].split(",")
        unified = kind == "cgroup2" and controllers == ""
        if unified or (kind == "cgroup" and controllers and set(controllers.split(",")) <= set(options)):
            yield words[4]


def mounts_below(path):
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(str(path))]


def wait_until(predicate, seconds, what):
    """The first true answer of `predicate`; fails after `seconds` with `what`, and with what it said last."""
    deadline = time.monotonic() + seconds
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {said}")
        time.sleep(0.01)
