"""Addresses of `listen` come and go at a reload: nobody is interrupted, and what cannot be had changes nothing."""
import os
import signal
import socket
import threading

import pytest
from http_client import Connection, CutResponse, get
from processes import wait_until
from rowhouse_host import free_port
from supervisors import end_supervisor


def entry(port):
    return f'  - http: "127.0.0.1:{port}"\n'


def reload(host, listen, code=0):
    host.extra_listen = listen
    host.write_config()
    answer = host.cli("reload", "--json")
    assert answer.code == code, answer
    return answer


def effects(answer):
    return {change["key"]: change["effect"] for change in answer.json["changes"]}


def is_refused(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 5):
            return False
    except ConnectionRefusedError:
        return True


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme", threads="4")
    host.start("acme/site")
    return tenant


@pytest.mark.sanitized
def test_an_address_is_added_and_removed_while_everything_runs(host, acme):
    gateways, workers, port = host.gateway_pids(), host.worker_pids("acme/site"), free_port()
    assert effects(reload(host, entry(port))) == {"listen": "applied_live"}
    assert effects(reload(host, entry(port))) == {}, "it is in force"
    for _ in range(20):
        assert get(port, "acme.test", "/hello").status == 200
    with Connection(port) as idle, Connection(port) as busy, Connection(host.port) as other:
        assert idle.request("acme.test", "/hello").status == 200
        assert other.request("acme.test", "/hello").status == 200
        busy.send("acme.test", "/echo?id=5&size=100000&ms=1500")
        assert effects(reload(host, "")) == {"listen": "applied_live"}
        wait_until(lambda: is_refused(port), 10, "nobody listens there any more")
        answer = busy.read_response()
        assert answer.status == 200 and len(answer.body) == 100_000, "what was asked is answered whole"
        assert idle.socket.recv(1) == b"", "an idle connection ends"
        assert other.request("acme.test", "/hello").status == 200, "who came elsewhere does not notice"
    assert host.gateway_pids() == gateways and host.worker_pids("acme/site") == workers
    # And the same address again.
    reload(host, entry(port))
    assert get(port, "acme.test", "/hello").status == 200


def test_no_connection_is_lost_at_the_address_that_stays(host, acme):
    ports, failed, done = [free_port(), free_port()], [], threading.Event()

    def ask():
        while not done.is_set():
            try:
                if get(host.port, "acme.test", "/hello").status != 200:
                    failed.append("a status")
            except (OSError, CutResponse) as error:
                failed.append(error)

    running = [threading.Thread(target=ask) for _ in range(2)]
    for thread in running:
        thread.start()
    for listen in (entry(ports[0]), entry(ports[1]), entry(ports[1]) + entry(ports[0]), ""):
        reload(host, listen)
    done.set()
    for thread in running:
        thread.join(30)
    assert failed == []


def test_an_address_that_is_taken_refuses_the_whole_reload(host, acme):
    free = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        plans = host.plans
        host.plans = plans.replace("memory: 256M", "memory: 300M")
        answer = reload(host, entry(free) + entry(port), code=1)
        assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in answer.out + answer.err
        assert is_refused(free), "what could have been opened is not"
        assert host.http("acme.test").status == 200
    host.plans = plans
    told = effects(reload(host, entry(free) + entry(port)))
    assert told == {"listen": "applied_live"}, "the plan was not touched either"
    assert get(port, "acme.test", "/hello").status == get(free, "acme.test", "/hello").status == 200


def test_a_unix_socket_comes_and_goes_with_its_file(host, acme):
    path = host.directory / "run" / "front.sock"
    reload(host, f'  - http: "unix:{path}"\n')
    assert get(path, "acme.test", "/hello").status == 200
    reload(host, "")
    assert not path.exists()
    reload(host, f'  - http: "unix:{path}"\n')
    assert get(path, "acme.test", "/hello").status == 200


def test_the_way_connections_begin_changes_without_another_socket(host):
    host.gateway_keys = ", trusted_proxies: [127.0.0.1]"
    host.add_probe("acme")
    port = free_port()
    host.extra_listen = entry(port)
    host.start("acme/site")
    assert get(port, "acme.test", "/hello").status == 200
    reload(host, f'  - http: "127.0.0.1:{port}"\n    proxy_protocol: true\n')

    def wants_header():
        with Connection(port, 5) as connection:
            connection.socket.sendall(b"PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n")
            return connection.request("acme.test", "/hello").status == 200

    wait_until(wants_header, 10, "each gateway knows")
    reload(host, entry(port))
    wait_until(lambda: get(port, "acme.test", "/hello").status == 200, 10, "and back")


def test_a_new_gateway_and_a_new_supervisor_have_the_changed_addresses(host, acme):
    first, second = free_port(), free_port()
    reload(host, entry(first) + entry(second))
    reload(host, entry(second))
    for pid in host.gateway_pids():
        os.kill(pid, signal.SIGKILL)

    def serves(port):
        try:
            return get(port, "acme.test", "/hello").status == 200
        except (OSError, CutResponse):
            return False

    wait_until(lambda: serves(second) and serves(host.port), 20, "the next gateways listen")
    end_supervisor(host)
    assert serves(second) and serves(host.port) and is_refused(first)
    third = free_port()
    assert effects(reload(host, entry(third))) == {"listen": "applied_live"}
    assert serves(third) and serves(host.port)
    wait_until(lambda: is_refused(second), 10, "what the first supervisor opened the second one closes")
