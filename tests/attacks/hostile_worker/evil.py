"""The hostile worker from outside: a tenant with many copies of the evil app, one of them for each deed, and what
the host, the bystander and the log say while it does it."""
import contextlib
import pathlib
import re
import shutil
import statistics
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote

import http_client
import processes
from http_client import Connection, CutResponse
from processes import wait_until
from rowhouse_host import PATIENCE_S, SLOW

APPS = pathlib.Path(__file__).resolve().parents[1] / "apps"
WIRE = pathlib.Path(__file__).resolve().parents[2] / "system" / "worker_wire" / "wire.py"
TENANT = "evil"
COPIES = 4 if SLOW else 12  # of the app; each death makes the next start of that copy a little later
PLANS = "  test: { memory: 1G, cpu: 200%, pids: 400, workers: 32, threads: 16, concurrency: 200, queue: 200 }\n"
START_S = 300 if SLOW else PATIENCE_S  # for all of them at once
FRAME_TIMER_S = 5.0  # of the gateway, for the rest of a frame
REQUEST_TIMER_S = 2.0  # of the copies whose name begins with t
BYSTANDER_S = 2.0  # what the bystander may wait at the very most on a busy machine
VIOLATION = re.compile(r"worker-violated-protocol (.*)")


def install(host):
    """The tenant with its apps; e0 ... are patient, t0 ... have a short request timer, scan is the ordinary worker."""
    host.gateways, host.plans = 1, PLANS
    tenant = host.add_tenant(TENANT)
    tenant.copy(APPS, "site")
    shutil.copy(WIRE, tenant.home / "site" / "wire.py")
    tenant.own(tenant.home / "site")
    (tenant.home / "next").mkdir()
    tenant.own(tenant.home / "next")
    names = [f"e{i}" for i in range(COPIES)] + ["t0", "t1"]
    lines = [app_lines(tenant, name, "evil_worker:application", request_s=60 if name[0] == "e" else REQUEST_TIMER_S)
             for name in names]
    lines.append(app_lines(tenant, "scan", "evil_scan:application", request_s=60))
    tenant.manifest("apps:\n" + "".join(lines))
    host.add_bystander()
    host.start()
    for app in (*(f"{TENANT}/{name}" for name in [*names, "scan"]), f"{host.bystander.name}/site"):
        host.wait_running(app, START_S)
    host.note_processes()
    return [EvilApp(host, tenant, name) for name in names] + [EvilApp(host, tenant, "scan")]


def app_lines(tenant, name, wsgi, request_s):
    return (f"  {name}:\n    routes: [{tenant.domain}/{name}]\n    wsgi: \"{wsgi}\"\n    directory: site\n"
            f"    threads: 4\n    limits: {{ body: 2G }}\n    buffering: false\n    env: {{ EVIL_NAME: {name} }}\n"
            f"    timeouts: {{ startup: {int(START_S)}s, request: {int(request_s * 1000)}ms, queue: 20s, graceful: 2s, "
            "shutdown: 1s }\n")


class EvilApp:
    """One copy of the app."""

    def __init__(self, host, tenant, name):
        self.host, self.tenant, self.name = host, tenant, name
        self.identity = f"{TENANT}/{name}"
        self.notes = tenant.home / "next" / f"{name}.notes"

    def path(self, deed, **query):
        return f"/{self.name}/{deed}?" + "&".join(f"{key}={quote(str(value), safe='')}" for key, value in query.items())

    def ask(self, deed, method="GET", body=b"", **query):
        return http_client.get(self.host.port, self.tenant.domain, self.path(deed, **query), method=method, body=body)

    def send(self, connection, deed, method="GET", body=b"", **query):
        connection.send(self.tenant.domain, self.path(deed, **query), method=method, body=body)

    def twin(self):
        """The control run: the same hand-written frames, kept to the page."""
        answer = self.ask("twin")
        assert (answer.status, answer.body) == (200, b"well behaved"), answer
        return "hand-written frames are served: 200"

    def lay_out(self, what, content=b""):
        """For the next start of this copy."""
        self.tenant.put(f"next/{self.name}.{what}", "")
        (self.tenant.home / "next" / f"{self.name}.{what}").write_bytes(content)

    def worker(self):
        """(generation, number, pid) of the one that is ready."""
        status = self.host.status(self.identity)
        return [(w["generation"], w["worker"], w["pid"]) for w in status["workers"] if w["state"] == "ready"][0]

    def wait_running(self):
        self.host.wait_running(self.identity)


class Deed:
    """What was the state before a deed, to compare with afterwards."""

    def __init__(self, app):
        self.app, self.host = app, app.host
        self.began, self.log_at = time.monotonic(), len(app.host.log)
        self.worker = app.worker()

    def violations(self):
        return VIOLATION.findall(self.host.log[self.log_at:])

    def expect_violation(self, within=PATIENCE_S):
        """The gateway closed this worker's channel: its log says which rule, the status the cause, and the worker has
        been replaced.  Returns the rule."""
        wait_until(self.violations, within, "the gateway notes a broken protocol")
        self.expect_death("RH-PROTOCOL", within)
        found = self.violations()
        assert len(found) == 1, found
        generation, worker, _ = self.worker
        assert f"generation={generation} worker={worker} " in found[0], (found, self.worker)
        return re.search(r"rule=(.*)$", found[0])[1].strip('"').split(":")[0]

    def expect_death(self, cause, within=PATIENCE_S):
        """This worker died of that, and another one serves."""
        pid = self.worker[2]
        status = self.host.wait_status(self.app.identity, lambda s: s["state"] == "running"
                                       and any(w["state"] == "ready" and w["pid"] != pid for w in s["workers"]), within)
        last = status["last_exit"]
        assert (last["code"], last["generation"], last["worker"]) == (cause, *self.worker[:2]), last
        assert processes.read_process(pid) is None or processes.read_process(pid).state == "Z", "the worker lives on"
        self.app.twin()

    def expect_unharmed(self):
        """The same worker serves, and nothing was said against it."""
        self.app.twin()
        assert self.app.worker() == self.worker
        assert self.violations() == []


@contextlib.contextmanager
def hostage(app):
    """A response of the same app that has begun; it must be cut visibly, never look complete."""
    with Connection(app.host.port) as connection:
        app.send(connection, "begin")
        head = connection.read_head()
        assert head.status == 200
        yield connection
        try:
            rest = connection.take(1000)
        except CutResponse:
            return
        raise AssertionError(f"a response that was never completed looks complete: {rest[:80]!r}")


class Gateway:
    """The one gateway process, as the kernel shows it."""

    def __init__(self, host):
        self.pid, = host.gateway_pids()
        self.process = processes.read_process(self.pid)

    def _status_kib(self, key):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise AssertionError(key)

    def resident_kib(self):
        return self._status_kib("VmRSS")

    @contextlib.contextmanager
    def bounded_memory(self, kib):
        """At no time in between had it more resident memory than before and so much."""
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        before = self.resident_kib()
        yield
        most = self._status_kib("VmHWM")
        assert most - before <= kib, f"resident memory rose from {before} to {most} KiB"

    def descriptors(self):
        return processes.descriptor_count(self.pid)

    def cpu_s(self):
        words = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(words[11]) + int(words[12])) / 100

    def memory_files(self):
        lines = pathlib.Path(f"/proc/{self.pid}/maps").read_text().splitlines()
        return sorted(line.split(None, 5)[5] for line in lines if "memfd" in line or "/dev/shm" in line)


@dataclass
class Latencies:
    all_s: list

    @property
    def median_s(self):
        return statistics.median(self.all_s)

    @property
    def longest_s(self):
        return max(self.all_s)


class Neighbour(threading.Thread):
    """The bystander's own client: asks all the time, and every answer must be its own, whole and in time."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.host, self.over = host, threading.Event()
        self.took, self.wrong = [], []

    def run(self):
        try:
            with Connection(self.host.port) as connection:
                while not self.over.wait(0.01):
                    began = time.monotonic()
                    answer = connection.request(self.host.bystander.domain, "/hello")
                    self.took.append(time.monotonic() - began)
                    if (answer.status, answer.body) != (200, b"hello"):
                        self.wrong.append(answer)
                    if len(self.took) % 900 == 0:  # a connection has a last request
                        connection.close()
                        connection.__init__(self.host.port)
        except (OSError, CutResponse) as error:
            self.wrong.append(error)

    def since(self, number):
        return Latencies(self.took[number:])

    def wait_more(self, count):
        """So many more answers have come."""
        goal = len(self.took) + count
        wait_until(lambda: len(self.took) >= goal or self.wrong, PATIENCE_S, "answers for the bystander")

    def finish(self):
        self.wait_more(1)
        self.over.set()
        self.join(PATIENCE_S)
        assert self.wrong == [], self.wrong[:3]
        assert max(self.took) < BYSTANDER_S, f"the bystander waited {max(self.took):.2f} s"
