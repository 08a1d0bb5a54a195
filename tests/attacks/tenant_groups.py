"""What the kernel counts for a tenant: its cgroup's files, on both kinds of hierarchy, and its processes' time."""
import os
import pathlib

import processes

FILES = {  # what: (v1 file, v2 file)
    "memory": ("memory.usage_in_bytes", "memory.current"),
    "memory peak": ("memory.max_usage_in_bytes", "memory.peak"),
    "memory limit": ("memory.limit_in_bytes", "memory.max"),
    "pids": ("pids.current", "pids.current"),
}
PRESENT = {"memory": FILES["memory"], "pids": FILES["pids"], "cpu": ("cpu.stat", "cpu.stat")}
EVENTS = ("memory.oom_control", "memory.events")


def directory_of(pid, tenant, controller):
    """The tenant's group, t-NAME, that `pid` lives below, and 0 or 1: the version of its hierarchy, less one."""
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(",") and controllers:
            continue
        for mount in processes.cgroup_mounts(controllers):
            top = pathlib.Path(mount, path[1:path.index(f"/t-{tenant}/")].lstrip("/"), f"t-{tenant}")
            version = 1 if controllers == "" else 0
            if (top / PRESENT[controller][version]).exists():
                return top, version
    raise AssertionError(f"{pid} is in no group t-{tenant} of {controller}")


class TenantGroup:
    """REQUIRES: `pid` is a living worker of the tenant's."""

    def __init__(self, pid, tenant):
        self.memory, self.version = directory_of(pid, tenant, "memory")
        self.pids, _ = directory_of(pid, tenant, "pids")
        self.cpu, _ = directory_of(pid, tenant, "cpu")

    def read(self, what):
        directory = self.pids if what == "pids" else self.memory
        return int((directory / FILES[what][self.version]).read_text())

    @property
    def throttled(self):
        """How often its processes had to wait for the next period."""
        words = dict(line.split() for line in (self.cpu / "cpu.stat").read_text().splitlines())
        return int(words.get("nr_throttled", 0))

    @property
    def oom_kills(self):
        """Over the whole tree of the tenant: v1 counts where the victim was."""
        total = 0
        for directory, _, files in os.walk(self.memory):
            if EVENTS[self.version] in files:
                try:
                    text = pathlib.Path(directory, EVENTS[self.version]).read_text()
                except OSError:
                    continue  # gone meanwhile
                total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))
            if self.version:
                return total  # memory.events counts the subtree
        return total


def cpu_seconds(uid):
    """Of all living processes of a uid, with the children that they have waited for."""
    ticks = 0
    for process in processes.processes_of_uids([uid]):
        try:
            fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
