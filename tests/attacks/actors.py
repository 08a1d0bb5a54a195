"""Who does what in a case: a hostile app in a real worker, and the same code with nothing but the tenant's uid."""
import ctypes
import json
import os
import pathlib
import select
import signal
import struct
import subprocess
import time

import http_client
import processes
from background import Background

ATTACKER_APPS = pathlib.Path(__file__).resolve().parent / "apps"
SECONDS = float(os.environ.get("ATTACK_SECONDS", "2"))  # how long a case that is a race goes on
PYTHON = "/usr/bin/python3"


def give_attacks(tenant, directory="bad"):
    """The hostile code in the tenant's home."""
    for source in ATTACKER_APPS.glob("bad_*.py"):
        tenant.put(f"{directory}/{source.name}", source.read_text(encoding="utf-8"))


def add_attacker(host, name, app="site", registry=None, domains=None, **keys):
    """A tenant whose app does what it is told; `keys` are further lines of the app in the manifest."""
    tenant = host.add_tenant(name, domains=domains)
    if registry:
        host.register(tenant, registry.format(tenant=tenant))
    give_attacks(tenant)
    host.set_probe(tenant, app, **{"wsgi": "bad_app:application", "directory": "bad", "threads": "8", **keys})
    return tenant


class Walled:
    """The hostile code in a worker of a tenant's app."""

    def __init__(self, host, tenant, app="site", domain=None):
        self.host, self.tenant, self.domain = host, tenant, domain or tenant.domain
        self.name = f"{tenant.name}/{app}"

    def ask(self, do, patience=30, **arguments):
        """What the action returned, or the name of the kernel's error."""
        answer = self.order(do, patience, **arguments)
        assert answer.status == 200, (answer.status, answer.cause, answer.text)
        told = json.loads(answer.text)
        assert "failed" not in told, told
        return told["value"]

    def order(self, do, patience=30, **arguments):
        """As ask(), for actions that may end their worker: the HTTP answer."""
        return self.host.http(self.domain, "/do", method="POST", timeout=patience,
                              body=json.dumps({"do": do, "arguments": arguments}).encode())

    def try_order(self, do, patience=30, **arguments):
        """As order(); a connection that ends without an answer is None."""
        try:
            return self.order(do, patience, **arguments)
        except (http_client.CutResponse, OSError):
            return None

    def wait_ready(self, seconds=30):
        return self.host.wait_running(self.name, seconds)

    @property
    def pid(self):
        return self.host.worker_pids(self.name)[0]


class Bare:
    """The hostile code as a child with the tenant's uid and gid and no wall; everything it starts ends with it."""

    def __init__(self, tenant, **options):
        code = options.pop("code", tenant.home / "bad" / "bad_app.py")
        self.process = subprocess.Popen(
            [PYTHON, code], user=tenant.uid, group=tenant.uid, extra_groups=[], cwd=tenant.home,
            env={"HOME": str(tenant.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1, start_new_session=True, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        below = processes.descendants(self.process.pid)
        self.process.kill()
        self.process.communicate()
        for process in below:
            end(process)

    @property
    def pid(self):
        return self.process.pid

    def order(self, do, **arguments):
        """Begins an action; answer() has what it says."""
        self.process.stdin.write(json.dumps({"do": do, "arguments": arguments}) + "\n")

    def answer(self, seconds=30):
        """None when there is none within `seconds`, or when the child has died."""
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        if not line:
            return None
        told = json.loads(line)
        assert "failed" not in told, told
        return told["value"]

    def ask(self, do, patience=30, **arguments):
        self.order(do, **arguments)
        return self.answer(patience)


def end(process):
    """Kills what a control run left behind, and reaps it if it fell to us."""
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)

    def gone():
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            pass
        return not process.is_alive()

    processes.wait_until(gone, 10, f"{process} ends")


class Opened:
    """Tells whether anybody has opened a file since, by inotify; `path` is named once, at the start."""
    IN_OPEN, IN_CLOEXEC, IN_NONBLOCK = 0x20, 0o2000000, 0o4000

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(self.IN_CLOEXEC | self.IN_NONBLOCK)
        assert self.fd >= 0 and libc.inotify_add_watch(self.fd, os.fsencode(path), self.IN_OPEN) >= 0, path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def count(self):
        opened = 0
        while True:
            try:
                events = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return opened
            while events:
                size = struct.unpack_from("iIII", events)[3]
                opened, events = opened + 1, events[16 + size:]


class Pulse(Background):
    """Asks one app again and again on one connection; seconds from question to answer, and what was not 200."""

    END_S = 30

    def __init__(self, host, domain, path="/hello"):
        super().__init__()
        self.host, self.domain, self.path = host, domain, path
        self.took, self.wrong = [], []

    def run(self, _number):
        with http_client.Connection(self.host.port, 20) as connection:
            for _ in range(900):  # the gateway ends a connection after 1,000 requests
                if self.stop.is_set():
                    return
                began = time.monotonic()
                try:
                    status = connection.request(self.domain, self.path).status
                except (http_client.CutResponse, OSError) as error:
                    self.wrong.append(repr(error))
                    return
                self.took.append(time.monotonic() - began)
                if status != 200:
                    self.wrong.append(status)
                self.stop.wait(0.005)

    def percentile(self, share):
        ordered = sorted(self.took)
        assert ordered, f"no answer at all: {self.wrong}"
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def supervisor_of(host):
    """The pid of the supervisor, which is the keeper's child of the same program."""
    [found] = [p.pid for p in processes.children(host.daemon.pid)
               if pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes().startswith(b"rowhoused\0")]
    return found


def waited(action):
    """What an action returned and how many seconds it took."""
    began = time.monotonic()
    value = action()
    return value, time.monotonic() - began
