"""The stage of the probes: a hostile tenant with an accomplice outside, a careless neighbour, and one host for all."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
PROBES = HERE.parent / "apps" / "probes"
sys.path[:0] = [str(HERE), str(PROBES)]

import bare  # noqa: E402
import child  # noqa: E402
import registry  # noqa: E402
from accomplice import Accomplice  # noqa: E402
from attack_host import attack_host  # noqa: E402

GROUP_OF_LOGS = 4  # adm
LEAKED = "ROWHOUSE_ATTACK_SECRET"
NAMESPACES = ("mnt", "pid", "ipc", "uts", "cgroup")
HOSTILE, RECLUSE, CLERK, FORKED, NEIGHBOUR = "hostile", "recluse", "clerk", "forked", "neighbour"


class Stage:
    """Runs one probe inside a real worker or in a bare child of the same uid."""

    def __init__(self, host, tenant, context):
        self.host, self.tenant, self.context = host, tenant, context

    def inside(self, probe):
        answer = self.host.http(self.tenant.domain, f"/{probe.identity}", method="POST", timeout=40,
                                body=json.dumps(self.context).encode())
        if answer.status != 200:
            return registry.Outcome(False, f"HTTP {answer.status} {answer.cause}")
        return registry.Outcome(**json.loads(answer.text))

    def missing_walls(self):
        return self.host.status(f"{self.tenant.name}/site")["sandbox"]["missing"]

    def bare(self, probe):
        context = {**self.context, "bare": True}
        return registry.Outcome(**bare.run(self.tenant.uid, lambda: child.run(probe, context).as_json()))


def careless_neighbour(host):
    """A home that everybody may enter, a secret that everybody may read, a file that everybody may write."""
    tenant = host.add_probe(NEIGHBOUR)
    tenant.put("secret.txt", "of the neighbour\n", 0o644)
    tenant.put("shared.txt", "of the neighbour\n", 0o666)
    tenant.home.chmod(0o755)
    return tenant


def hostile_tenant(host, name, **keys):
    tenant = host.add_tenant(name)
    tenant.copy(PROBES, "probes")
    tenant.home.chmod(0o755)
    host.set_probe(tenant, wsgi="probe_app:application", directory="probes", threads=1, **keys)
    program = tenant.home / "set-uid-id"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    return tenant


class Place:
    """What the host has that tenants may or may not reach: a port and the socket of a database."""

    def __init__(self, host, stack):
        self.host = host
        self.listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        directory = host.directory / "database"
        directory.mkdir()
        self.database = directory / "database.sock"
        database = stack.enter_context(socket.socket(socket.AF_UNIX))
        database.bind(str(self.database))
        database.listen()
        self.database.chmod(0o666)

    def set_network(self, tenant, text):
        file = self.host.directory / "tenants.d" / f"{tenant.name}.yaml"
        file.write_text(f"{file.read_text()}network: {text}\n")


def tenants_of(host, place):
    """The same hostile code: with the host's network, with one of its own, with one port of the host's, and in a worker
    that a template has forked."""
    hostile, recluse, clerk = (hostile_tenant(host, name) for name in (HOSTILE, RECLUSE, CLERK))
    place.set_network(recluse, f"{{ mode: private, sockets: [{place.database}] }}")
    place.set_network(clerk, f"{{ mode: host, connect: [{place.listener.getsockname()[1]}] }}")
    return hostile, recluse, clerk, hostile_tenant(host, FORKED, preload="true")


def context_of(host, tenant, neighbour, accomplice, place):
    return {
        "uid": tenant.uid, "home": str(tenant.home), "tenant": tenant.name,
        "setuid_program": str(tenant.home / "set-uid-id"), "neighbour_secret": str(neighbour.home / "secret.txt"),
        "neighbour_shared": str(neighbour.home / "shared.txt"), "host_marker": str(host.config_path),
        "host_files": [str(path) for path in (host.config_path, host.directory / "state", host.directory / "logs",
                                              host.directory / "tenants.d", host.log_path)],
        "leaked_variable": LEAKED, "accomplice_socket": accomplice.root_socket,
        "accomplice_pidfd_socket": accomplice.pidfd_socket, "accomplice_pid": accomplice.pid,
        "ipc_key": accomplice.key, "shared_files": accomplice.shared_files,
        "abstract_stream": accomplice.abstract_stream, "abstract_datagram": accomplice.abstract_datagram,
        "plan_pids": 128, "tmp_bytes": 64 << 20, "tmp_inodes": 16 << 10,
        "namespaces": {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACES},
        "neighbour_port": place.listener.getsockname(), "database_socket": str(place.database),
        "gateway_port": ["127.0.0.1", host.port],
        "control_socket": str(host.socket_path)}


@contextlib.contextmanager
def careless_start():
    """What whoever starts rowhoused may have left behind, and no tenant may see: a variable, an ignored signal,
    groups, a descriptor, a umask under which nobody else can read what is made."""
    os.environ[LEAKED] = "of the host"
    groups = os.getgroups()
    os.setgroups([0, GROUP_OF_LOGS])
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR2, before)
        os.setgroups(groups)
        del os.environ[LEAKED]


def wait_started(host, app):
    """As wait_running, but a sandbox that could not be built is told at once."""
    def is_decided(status):
        return any(worker["state"] == "ready" for worker in status["workers"]) or why_not(status)

    def why_not(status):
        return status["last_exit"] if (status["last_exit"] or {}).get("code") == "RH-SPAWN" else None

    status = host.wait_status(app, is_decided)
    assert not why_not(status), f"{app} does not start: {why_not(status)}"


class Stages:
    def __init__(self, host, stages):
        self.host, self._stages = host, stages

    def of(self, tenant):
        wait_started(self.host, f"{tenant}/site")
        return self._stages[tenant]


@pytest.fixture(scope="session")
def stages(share):
    """One host for all probes."""
    with attack_host() as host, careless_start(), contextlib.ExitStack() as stack:
        place = Place(host, stack)
        neighbour, tenants = careless_neighbour(host), tenants_of(host, place)
        host.add_bystander()
        left = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, left)
        host.left_open, host.umask = (left,), 0o077
        accomplices = [stack.enter_context(contextlib.closing(Accomplice(tenant))) for tenant in tenants]
        host.start()
        for name in (HOSTILE, "bystander"):
            wait_started(host, f"{name}/site")
        host.note_processes()
        share(host)
        yield Stages(host, {tenant.name: Stage(host, tenant, context_of(host, tenant, neighbour, accomplice, place))
                            for tenant, accomplice in zip(tenants, accomplices)})
