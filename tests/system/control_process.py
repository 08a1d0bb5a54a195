"""The control process of a host as its tests see it: who it is, and how to end it."""
import os
import signal

import processes
from processes import wait_until


def control_pids(host):
    return [p.pid for p in processes.descendants(host.daemon.pid)
            if (processes.uids_of(p.pid) or [0])[0] == host.control_uid and p.state != "Z"]


def kill_control(host, number=signal.SIGKILL):
    """Ends it and waits until the next one answers."""
    [former] = control_pids(host)
    os.kill(former, number)
    wait_until(lambda: control_pids(host) not in ([], [former]) and host.cli("status", "--json").code == 0, 30,
               lambda: f"another control; log:\n{host.log[-3000:]}")
    host.note_processes()
