"""What no attack may change on the host: taken before a case, compared after it."""
import os
import pathlib
import time
from dataclasses import dataclass, field

import processes

PROGRAMS = ("rowhoused", "rowhouse-gatewa", "rowhouse-contro")  # the kernel cuts names
BAND_DESCRIPTORS, BAND_THREADS, BAND_BYTES = 4, 0, 16 << 20
POOL_THREADS = 4  # of a gateway, from the first file on that a disk has to be asked for
SETTLE_S = 5.0
YOUNG_S = 0.3
BYSTANDER_S = 2.0
SHARED_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
# Mounts that other tests on this machine make while ours run.
FOREIGN_MOUNTS = ("/run/netns", "/mnt", "/srv/")


@dataclass
class State:
    programs: dict = field(default_factory=dict)  # (pid, start) -> (name, descriptors, threads, resident bytes)
    zombies: set = field(default_factory=set)
    mounts: set = field(default_factory=set)
    cgroups: int = 0
    objects: set = field(default_factory=set)  # SysV objects and files of our uids in shared places
    configuration: dict = field(default_factory=dict)


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def is_program_of(host, process):
    """True for ours: a tenant can give its processes any name, and no uid but its own."""
    uids = processes.uids_of(process.pid)
    return process.name.startswith(PROGRAMS) and uids is not None and uids[0] in (0, host.gateway_uid,
                                                                                  host.control_uid)


def programs_of(host):
    """Those that stay: what is younger may be on its way to become a loader or a jail."""
    found = {}
    newest = (time.clock_gettime(time.CLOCK_BOOTTIME) - YOUNG_S) * os.sysconf("SC_CLK_TCK")
    for process in [processes.read_process(host.daemon.pid), *processes.descendants(host.daemon.pid)]:
        if process is None or process.state == "Z" or process.start > newest or not is_program_of(host, process):
            continue
        try:
            threads = len(os.listdir(f"/proc/{process.pid}/task"))
            found[process.pid, process.start] = (process.name, processes.descriptor_count(process.pid), threads,
                                                 resident_bytes(process.pid))
        except OSError:
            pass  # it has gone since
    return found


def zombies_of(host):
    """Those that a program of ours should have reaped; an app's own are the app's."""
    below = processes.descendants(host.daemon.pid)
    ours = {p.pid for p in below if is_program_of(host, p)} | {host.daemon.pid, os.getpid()}
    return {(p.pid, p.name) for p in below if p.state == "Z" and p.parent in ours}


def mounts_of(host):
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4] for line in lines]
    return {place for place in places
            if place.startswith(str(host.directory)) or not place.startswith(FOREIGN_MOUNTS)}


def objects_of(host):
    """System V objects, and files in places that all users share, that belong to a uid of this host."""
    uids, found = set(host.uids), set()
    for kind, column in (("shm", 7), ("sem", 4), ("msg", 7)):
        for line in pathlib.Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]:
            if int(line.split()[column]) in uids:
                found.add((kind, line.split()[1]))
    for place in SHARED_PLACES:
        for entry in os.scandir(place):
            try:
                if entry.stat(follow_symlinks=False).st_uid in uids:
                    found.add(("file", entry.path))
            except OSError:
                pass  # another test's, gone meanwhile
    return found


def configuration_of(host):
    files = [host.config_path, *sorted((host.directory / "tenants.d").iterdir())]
    return {str(path): path.read_bytes() for path in files}


def take(host):
    cgroups = sum(1 for root in host.cgroup_roots for _ in os.walk(root))
    return State(programs_of(host), zombies_of(host), mounts_of(host), cgroups, objects_of(host),
                 configuration_of(host))


def outside_band(before, after):
    for key, (name, descriptors, threads, resident) in before.programs.items():
        if key not in after.programs:
            yield "programs", f"{name} {key[0]} is gone"
            continue
        _, descriptors_now, threads_now, resident_now = after.programs[key]
        if descriptors_now > descriptors + BAND_DESCRIPTORS:
            yield "descriptors", f"{name} {key[0]} has {descriptors_now} descriptors, had {descriptors}"
        band = POOL_THREADS if name.startswith("rowhouse-gatewa") else BAND_THREADS
        if abs(threads_now - threads) > band:
            yield "threads", f"{name} {key[0]} has {threads_now} threads, had {threads}"
        if resident_now > resident + BAND_BYTES:
            yield "memory", f"{name} {key[0]} has {resident_now >> 10} KiB resident, had {resident >> 10} KiB"


def differences(before, after):
    """(what, sentence) for each invariant that does not hold."""
    yield from outside_band(before, after)
    if after.zombies - before.zombies:
        yield "zombies", f"zombies: {sorted(after.zombies - before.zombies)}"
    if after.mounts - before.mounts:
        yield "mounts", f"new mounts: {sorted(after.mounts - before.mounts)}"
    if after.cgroups > before.cgroups:
        yield "cgroups", f"{after.cgroups} cgroups, there were {before.cgroups}"
    if after.objects - before.objects:
        yield "objects", f"left in shared places: {sorted(after.objects - before.objects)}"
    if after.configuration != before.configuration:
        changed = {path for path in {**before.configuration, **after.configuration}
                   if before.configuration.get(path) != after.configuration.get(path)}
        yield "configuration", f"configuration changed: {sorted(changed)}"


class Invariants:
    """Watches hosts during one case.  What settles by itself within SETTLE_S (a closing connection, a worker that
    is being replaced) is no harm."""

    def __init__(self):
        self.before, self.expected = [], set()

    def watch(self, host):
        """From here to the end of the case; a host that the case starts itself is given here after its start."""
        host.note_processes()
        self.before.append((host, take(host)))

    def expect_change(self, *what):
        """Names invariants that the case itself breaks on purpose: programs descriptors threads memory zombies
        mounts cgroups objects configuration."""
        self.expected |= set(what)

    def problems(self):
        found = []
        for host, before in self.before:
            if host.daemon is None:
                continue  # the case ended it; what it left is the host fixture's question
            if host.daemon.poll() is not None:
                found.append(f"rowhoused ended with {host.daemon.returncode}")
                continue
            found += self.settled_problems(host, before) + bystander_problems(host)
        return found

    def settled_problems(self, host, before):
        deadline = time.monotonic() + SETTLE_S
        while True:
            found = [text for what, text in differences(before, take(host)) if what not in self.expected]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


def bystander_problems(host):
    if host.bystander is None:
        return []
    began = time.monotonic()
    answer = host.http(host.bystander.domain, "/hello", timeout=2 * BYSTANDER_S)
    took = time.monotonic() - began
    if answer.status != 200 or took > BYSTANDER_S:
        return [f"the bystander got {answer.status} {answer.cause} after {took:.2f} s"]
    return []
