"""The supervisor of a host as its tests see it: who it is, how to end it, and when the next one has taken over."""
import os
import signal
import time

import processes
from processes import wait_until

ADOPTION_S = 2.0  # the promise; see adopted_within()


def supervisor_pid(host):
    """The keeper's one child that is a supervisor, or None between two.  A child that the supervisor has just cloned
    bears its name until it execs, and is younger."""
    found = [p for p in processes.children(host.daemon.pid) if p.name.startswith("rowhoused") and p.state != "Z"]
    return min(found, key=lambda p: (p.start, p.pid)).pid if found else None


def wait_for_another(host, former, seconds=20):
    """The pid of the supervisor after `former`, once it has taken over."""
    goal = host.log.count("took over") + 1

    def there():
        pid = supervisor_pid(host)
        return pid if pid not in (None, former) and host.log.count("took over") >= goal else None

    return wait_until(there, seconds, lambda: f"a supervisor has taken over; log:\n{host.log[-6000:]}")


def end_supervisor(host, number=signal.SIGKILL):
    """Ends the supervisor; the new one's pid, and the seconds from the signal to its taking over."""
    former, goal = supervisor_pid(host), host.log.count("took over") + 1
    began = time.monotonic()
    os.kill(former, number)
    wait_until(lambda: host.log.count("took over") >= goal, 40,
               lambda: f"a supervisor has taken over; log:\n{host.log[-6000:]}")
    took = time.monotonic() - began
    now = supervisor_pid(host)
    assert now not in (None, former)
    host.note_processes()
    return now, took


def workers(host, app="acme/site"):
    return sorted(host.worker_pids(app))


def groups_of(host):
    """Every generation's cgroup that is there, as TENANT/APP/GENERATION."""
    host.note_processes()
    return sorted({f"{path.parent.parent.name}/{path.parent.name}/{path.name}" for root in host.cgroup_roots
                   for path in root.glob("tenants/t-*/a-*/g*")})
