"""One Rowhouse of a test's own: its configuration, its tenants, the real rowhoused, and what must be left of it
afterwards (nothing)."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from dataclasses import dataclass
from typing import NamedTuple

import http_client
import processes
from processes import wait_until
from unit_daemon import UnitDaemon

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ROWHOUSE_BUILD", ROOT / "build")).resolve()
APPS = pathlib.Path(__file__).resolve().parent / "apps"
SANITIZED = bool(os.environ.get("ROWHOUSE_SANITIZED"))
SLOW = SANITIZED or bool(os.environ.get("ROWHOUSE_SLOW"))  # also on an emulated machine
PATIENCE_S = 60 if SLOW else 20
STOP_S = 30 if SLOW else 10
UNIT = os.environ.get("ROWHOUSE_UNIT")  # start rowhoused from this systemd unit
SANITIZER_WORDS = ("AddressSanitizer", "LeakSanitizer", "runtime error:", "UndefinedBehaviorSanitizer",
                   "ThreadSanitizer")


class Python(NamedTuple):
    """A worker that was built: a row of pythons.table."""
    version: str
    program: str
    prefix: str


PYTHONS = [Python(*line.split(" ", 2)) for line in (BUILD / "pythons.table").read_text().splitlines() if line] \
    if (BUILD / "pythons.table").exists() else []

PLANS = "  test: { memory: 512M, cpu: 200%, pids: 128, workers: 4, threads: 16, concurrency: 200, queue: 200 }\n"


@dataclass
class Answer:
    """What the CLI said."""
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Tenant:
    name: str
    uid: int
    home: pathlib.Path
    domains: list

    @property
    def domain(self):
        return self.domains[0]

    def own(self, path):
        """Gives a path and all below it to the tenant."""
        for each in [path, *path.rglob("*")]:
            os.chown(each, self.uid, self.uid, follow_symlinks=False)

    def put(self, name, text, mode=0o644):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        path.chmod(mode)
        self.own(self.home / pathlib.PurePath(name).parts[0])
        return path

    def copy(self, source, name):
        shutil.copytree(source, self.home / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.own(self.home / name)

    def manifest(self, text):
        """Replaces the manifest as a careful editor does: whole or not at all."""
        staged = self.put(".rowhouse.yaml.new", text)
        staged.rename(self.home / "rowhouse.yaml")

    def run(self, *command, **options):
        """A command as the tenant, in its home."""
        environment = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        return subprocess.run(command, cwd=options.pop("cwd", self.home), env={**environment, **options.pop("env", {})},
                              user=self.uid, group=self.uid, extra_groups=[], check=True, capture_output=True,
                              text=True, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Host:
    """REQUIRES: root.  Create, add tenants, start(); the fixture calls finish()."""

    probe_source = APPS / "probe"

    def __init__(self, directory, first_uid):
        self.directory, self.next_uid = directory, first_uid + 2
        self.gateway_uid, self.control_uid = first_uid, first_uid + 1
        self.port, self.gateways = free_port(), 2
        self.tenants, self.daemon, self.plans = {}, None, PLANS
        self.log_path = directory / "rowhoused.log"
        self.socket_path = directory / "run" / "control.sock"
        self.config_path = directory / "rowhouse.yaml"
        self.left_open = ()  # descriptors that a careless starter lets rowhoused have
        self.umask = -1  # of the starter; -1: ours
        self.extra_config, self.gateway_keys = "", ""  # gateway_keys: ", key: value" of the map
        self.extra_listen = ""  # further lines of `listen`
        self.command = [BUILD / "rowhoused"]
        self.seen, self.cgroup_roots = set(), set()
        directory.chmod(0o755)
        for name in ("tenants.d", "homes"):
            (directory / name).mkdir()

    # --- configuration ---------------------------------------------------------------------------------------
    def write_config(self):
        d = self.directory
        self.config_path.write_text(
            f'listen:\n  - http: "127.0.0.1:{self.port}"\n{self.extra_listen}'
            f"gateway: {{ processes: {self.gateways}, user: {self.gateway_uid}{self.gateway_keys} }}\n"
            f"control: {{ socket: {self.socket_path}, user: {self.control_uid}, admins: [root] }}\n"
            f"directories: {{ tenants: {d}/tenants.d, state: {d}/state, run: {d}/run, logs: {d}/logs }}\n"
            f"uids: {{ min: 1000 }}\n"
            f"plans:\n{self.plans}{self.extra_config}")

    def add_tenant(self, name, manifest=None, domains=None, registry=None):
        """A tenant with a home of its own and, without `manifest`, nothing in it."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        home = self.directory / "homes" / name
        home.mkdir()
        home.chmod(0o750)
        os.chown(home, uid, uid)
        tenant = Tenant(name, uid, home, domains or [f"{name}.test"])
        self.tenants[name] = tenant
        self.register(tenant, registry)
        if manifest is not None:
            tenant.manifest(manifest)
        return tenant

    def register(self, tenant, text=None):
        """Writes the tenant's file in the registry."""
        text = text or (f"uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: test\n"
                        f"domains: [{', '.join(tenant.domains)}]\nmanifest: rowhouse.yaml\n")
        staged = self.directory / "tenants.d" / f".{tenant.name}.new"
        staged.write_text(text)
        staged.rename(self.directory / "tenants.d" / f"{tenant.name}.yaml")

    def add_probe(self, name, app="site", **keys):
        """A tenant with the probe app; `keys` are further lines of the app in the manifest."""
        tenant = self.add_tenant(name)
        tenant.copy(APPS / "probe", "probe")
        self.set_probe(tenant, app, **keys)
        return tenant

    @staticmethod
    def set_probe(tenant, app="site", **keys):
        lines = {"routes": f"[{tenant.domain}]", "wsgi": "probe:application", "directory": "probe",
                 "timeouts": "{ startup: 60s, graceful: 5s, shutdown: 3s }", **keys}
        tenant.manifest(f"apps:\n  {app}:\n" + "".join(f"    {key}: {value}\n" for key, value in lines.items()))

    # --- life ------------------------------------------------------------------------------------------------
    def start(self, *apps, environment=None):
        """Starts rowhoused and waits until it serves and every app named ("acme/site") is running."""
        self.write_config()
        served_before = self.log.count("event=serving")
        self.daemon = self._launch(environment or {})
        wait_until(self.answers, PATIENCE_S, lambda: f"the control socket answers; log:\n{self.log}")
        wait_until(lambda: self.log.count("event=serving") > served_before, PATIENCE_S,
                   lambda: f"it serves; log:\n{self.log}")
        for app in apps:
            self.wait_running(app)
        self.note_processes()
        return self

    def _launch(self, environment):
        command = [*self.command, "--config", self.config_path]
        if UNIT:
            return UnitDaemon(UNIT, command, self.log_path, environment)
        with self.log_path.open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    env={**os.environ, **environment}, pass_fds=self.left_open, umask=self.umask)

    def answers(self):
        """Whether the control socket answers."""
        assert self.daemon.poll() is None, f"rowhoused ended with {self.daemon.returncode}; log:\n{self.log}"
        return self.socket_path.exists() and self.cli("status", "--json").code == 0

    def note_processes(self):
        """Remembers what lives now, so that the end can ask after each."""
        for process in processes.descendants(self.daemon.pid):
            self.seen.add(process)
            self.cgroup_roots |= processes.own_cgroup_roots(process.pid)

    def stop(self, seconds=STOP_S, number=signal.SIGTERM):
        """Ends rowhoused and returns its exit status and how long it took."""
        self.note_processes()
        began = time.monotonic()
        self.daemon.send_signal(number)
        try:
            status = self.daemon.wait(seconds)
        except subprocess.TimeoutExpired:
            left = [p for p in self.seen if p.is_alive()]
            self.kill_everything()
            raise AssertionError(f"rowhoused did not end within {seconds} s of {number.name}; left: {left}") from None
        self.daemon = None
        return status, time.monotonic() - began

    def kill_everything(self):
        """After a failure: nothing of this host survives the test."""
        victims = list(processes.descendants(self.daemon.pid)) if self.daemon else []
        victims += processes.processes_of_uids(self.uids) + [p for p in self.seen if p.is_alive()]
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait(10)
            self.daemon = None
        for process in victims:
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
        wait_until(lambda: not [p for p in victims if p.is_alive() and not self._reap(p)], 10, f"killed: {victims}")

    @staticmethod
    def _reap(process):
        try:
            return os.waitpid(process.pid, os.WNOHANG)[0] == process.pid
        except ChildProcessError:
            return False

    # --- asking ----------------------------------------------------------------------------------------------
    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def uids(self):
        return [self.gateway_uid, self.control_uid, *(t.uid for t in self.tenants.values())]

    def cli(self, *arguments, uid=0, timeout=60):
        done = subprocess.run([BUILD / "rowhouse", "--socket", self.socket_path, *map(str, arguments)], user=uid,
                              group=uid, extra_groups=[], capture_output=True, text=True, timeout=timeout, check=False,
                              cwd="/")
        return Answer(done.returncode, done.stdout, done.stderr)

    def cli_begin(self, *arguments):
        """The same, not waited for: a Popen."""
        return subprocess.Popen([BUILD / "rowhouse", "--socket", self.socket_path, *map(str, arguments)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def http(self, host, path="/hello", **options):
        return http_client.get(self.port, host, path, **options)

    @contextlib.contextmanager
    def occupied(self, tenant, ms):
        """A POST that is inside the probe app for `ms`; the connection, to read its answer from."""
        mark = tenant.home / "mark"
        mark.unlink(missing_ok=True)
        with http_client.Connection(self.port) as connection:
            connection.send(tenant.domain, f"/echo?id=7&ms={ms}&mark={mark}", method="POST", body=b"x")
            wait_until(mark.exists, PATIENCE_S, "the request is in the app")
            yield connection

    def status(self, app):
        """The one entry of `status --json` for "tenant/app", or None."""
        answer = self.cli("status", app, "--json")
        if answer.code == 3:
            return None
        assert answer.code == 0, answer
        entries = answer.json["apps"]
        assert len(entries) == 1, entries
        return entries[0]

    def wait_status(self, app, predicate, seconds=PATIENCE_S):
        last = {}

        def ask():
            last["status"] = self.status(app)
            return last["status"] if last["status"] and predicate(last["status"]) else None

        return wait_until(ask, seconds, lambda: f"status of {app}: {last}; log:\n{self.log[-6000:]}")

    def wait_running(self, app, seconds=PATIENCE_S):
        return self.wait_status(
            app, lambda s: s["state"] == "running" and any(w["state"] == "ready" for w in s["workers"]), seconds)

    def worker_pids(self, app):
        return [w["pid"] for w in self.status(app)["workers"] if w["state"] == "ready"]

    def gateway_pids(self):
        return sorted(p.pid for p in processes.descendants(self.daemon.pid)
                      if (processes.uids_of(p.pid) or [0])[0] == self.gateway_uid)

    # --- the end ---------------------------------------------------------------------------------------------
    def finish(self):
        """Stops what runs and returns everything that should not be there."""
        problems = []
        if self.daemon:
            try:
                status, _ = self.stop()
                problems += [f"rowhoused exited with {status}"] if status else []
            except AssertionError as error:
                problems.append(str(error))
        problems += [f"process left: {p}" for p in self.seen if p.is_alive()]
        problems += [f"process of a tenant left: {p}" for p in processes.processes_of_uids(self.uids)]
        problems += [f"cgroup left: {path}" for path in self.cgroup_roots if path.exists()]
        problems += [f"mount left: {path}" for path in processes.mounts_below(self.directory)]
        run = self.directory / "run"
        problems += [f"file left: {path}" for path in (run.rglob("*") if run.exists() else [])]
        problems += [f"sanitizer: {line}" for line in self.sanitizer_lines()]
        if any(line.startswith("process") for line in problems):
            self.kill_everything()
        return problems

    def sanitizer_lines(self):
        logs = [self.log_path, *(self.directory / "logs").rglob("*")]
        lines = [line for path in logs if path.is_file() for line in path.read_text(errors="replace").splitlines()]
        return [line for line in lines if any(word in line for word in SANITIZER_WORDS)]
