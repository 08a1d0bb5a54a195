"""`network:` - what a tenant's sandbox shares of the host's network, on which level it was said, and what the status
admits."""
import contextlib
import os
import socket
import threading

import processes
import pytest
from rowhouse_host import PLANS

APP = """
import json, os, socket

def attempt(action):
    try:
        return action()
    except OSError as error:
        return os.strerror(error.errno)

def connect(family, address):
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(address)
        return client.recv(100).decode()

def application(environ, start_response):
    kind, _, address = environ["QUERY_STRING"].partition("=")
    if kind == "port":
        answer = attempt(lambda: connect(socket.AF_INET, ("127.0.0.1", int(address))))
    elif kind == "unix":
        answer = attempt(lambda: connect(socket.AF_UNIX, address))
    else:
        answer = sorted(name for _, name in socket.if_nameindex())
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
"""


@contextlib.contextmanager
def greeter(family, address):
    """A server of the host's that says hello to everybody."""
    with socket.socket(family) as server:
        server.bind(address)
        server.listen(16)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    client.sendall(b"hello")
                    client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def add(host, name, network=None, plan="test"):
    tenant = host.add_tenant(name)
    host.register(tenant, f"uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: {plan}\n"
                          f"domains: [{tenant.domain}]\n" + (f"network: {network}\n" if network else ""))
    tenant.put("app.py", APP)
    tenant.manifest(f"apps: {{ site: {{ routes: [{tenant.domain}], wsgi: 'app:application' }} }}\n")
    return tenant


def ask(host, tenant, query):
    import json
    return json.loads(host.http(tenant.domain, f"/?{query}").text)


def missing(host, tenant):
    return host.status(f"{tenant.name}/site")["sandbox"]["missing"]


def test_private_is_a_loopback_of_its_own_and_host_says_what_stays_open(host):
    closed, opened = add(host, "closed", "private"), add(host, "opened")
    host.start("closed/site", "opened/site")
    with greeter(socket.AF_INET, ("127.0.0.1", 0)) as (_, port):
        assert ask(host, opened, f"port={port}") == "hello"
        assert ask(host, closed, f"port={port}") == "Connection refused"
    assert ask(host, closed, "interfaces") == ["lo"]
    assert "private-network" in missing(host, opened)
    assert "private-network" not in missing(host, closed)


def test_a_tenants_network_goes_before_its_plans_and_that_before_the_hosts(host):
    host.plans = PLANS + "  open: { memory: 256M, network: host }\n"
    host.extra_config = "isolation: { network: private }\n"
    by_host, by_plan, own = add(host, "byhost"), add(host, "byplan", plan="open"), add(host, "own", "private", "open")
    host.start("byhost/site", "byplan/site", "own/site")
    assert [("private-network" in missing(host, t)) for t in (by_host, by_plan, own)] == [False, True, False]
    assert ask(host, by_host, "interfaces") == ["lo"]
    assert ask(host, own, "interfaces") == ["lo"]


@pytest.mark.needs("landlock-ports")
def test_with_a_list_of_ports_the_others_cannot_be_connected_to(host):
    with greeter(socket.AF_INET, ("127.0.0.1", 0)) as (_, allowed), greeter(socket.AF_INET, ("127.0.0.1", 0)) as (_, other):
        acme = add(host, "acme", f"{{ mode: host, connect: [{allowed}] }}")
        host.start("acme/site")
        assert ask(host, acme, f"port={allowed}") == "hello"
        assert ask(host, acme, f"port={other}") == "Permission denied"
        assert "connect-ports" not in missing(host, acme)


@pytest.mark.parametrize("mode", ["host", "private"])
def test_an_allowed_socket_is_reached_and_its_neighbours_are_not_there(host, mode):
    shown, hidden = host.directory / "database", host.directory / "panel"
    for directory in (shown, hidden):
        directory.mkdir(mode=0o755)
    with greeter(socket.AF_UNIX, str(shown / "db.sock")), greeter(socket.AF_UNIX, str(hidden / "panel.sock")):
        os.chmod(shown / "db.sock", 0o777)
        os.chmod(hidden / "panel.sock", 0o777)
        acme = add(host, "acme", f"{{ mode: {mode}, sockets: [{shown}/db.sock] }}")
        host.start("acme/site")
        assert ask(host, acme, f"unix={shown}/db.sock") == "hello"
        assert ask(host, acme, f"unix={hidden}/panel.sock") == "No such file or directory"


def test_a_socket_directory_that_is_not_there_fails_the_start_by_name(host):
    acme = add(host, "acme", f"{{ mode: host, sockets: [{host.directory}/database/db.sock] }}")
    host.start()
    host.wait_status("acme/site", lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-SPAWN")
    assert f"{host.directory}/database/db.sock" in host.log
    (host.directory / "database").mkdir(mode=0o755)
    host.wait_running("acme/site", 60)
    assert ask(host, acme, f"unix={host.directory}/database/db.sock") == "No such file or directory"


def test_a_sandbox_leaves_no_network_namespace_behind(host):
    def namespaces():
        found = set()
        for process in processes.all_processes():
            with contextlib.suppress(OSError):
                found.add(os.readlink(f"/proc/{process.pid}/ns/net"))
        return found

    closed = add(host, "closed", "private")
    host.start("closed/site")
    [worker] = host.worker_pids("closed/site")
    own = os.readlink(f"/proc/{worker}/ns/net")
    assert own != os.readlink("/proc/self/ns/net")
    assert host.cli("stop", "closed/site").code == 0
    processes.wait_until(lambda: own not in namespaces(), 10, f"the network namespace of {closed.name} is gone")
