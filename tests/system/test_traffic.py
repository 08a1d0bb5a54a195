"""Client connections and bytes out of a tenant: one limit over all gateways and apps, live, and nobody else's trouble."""
import os
import signal
import threading
import time

import pytest
from http_client import Connection
from processes import wait_until
from test_asgi import put_app
from websocket_client import WebSocket

LIMIT = 6
RATE = 512 * 1024  # bytes of each second


def plan(**keys):
    text = "".join(f", {key}: {value}" for key, value in keys.items())
    return ("  test: { memory: 256M, cpu: 100%, pids: 64, workers: 2, threads: 4, concurrency: 50, queue: 50" + text +
            " }\n  free: { memory: 256M, cpu: 100%, pids: 64, workers: 2, threads: 4, concurrency: 50, queue: 50 }\n")


def put_on_free_plan(host, tenant):
    host.register(tenant, f"uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: free\n"
                          f"domains: [{tenant.domain}]\n")


def change_plan(host, **keys):
    host.plans = plan(**keys)
    host.write_config()
    answer = host.cli("reload", "--json")
    assert answer.code == 0, answer
    return {change["key"]: change["effect"] for change in answer.json["changes"]}


def ask(connection, name, path="/hello"):
    answer = connection.request(name, path)
    return answer.status, answer.cause


@pytest.mark.sanitized
def test_a_tenants_connections_are_counted_over_all_gateways(host):
    host.plans = plan(connections=LIMIT)
    host.add_probe("acme")
    put_on_free_plan(host, host.add_probe("blake"))
    host.start("acme/site", "blake/site")
    # Connections of the same burst are spread over both gateways.
    crowd = [Connection(host.port) for _ in range(LIMIT * 4)]
    told = [ask(connection, "acme.test") for connection in crowd]
    assert told.count((200, None)) == LIMIT
    assert told.count((503, "RH-CONNECTIONS")) == LIMIT * 3
    inside = [connection for connection, answer in zip(crowd, told) if answer[0] == 200]
    for connection in inside:
        assert ask(connection, "acme.test") == (200, None), "it has its place"
    with Connection(host.port) as late:
        answer = late.request("acme.test", "/hello")
        assert answer.header("Retry-After") == "1" and answer.header("Connection") == "close"
    with Connection(host.port) as other:
        assert ask(other, "blake.test") == (200, None), "the neighbour has none of it"
        # One that asks for somebody else's site gives its place back, and needs one to come again.
        assert ask(inside[0], "blake.test") == (200, None)
        assert ask(other, "acme.test") == (200, None)
        assert ask(inside[0], "acme.test")[1] == "RH-CONNECTIONS"
    inside[1].close()

    def comes_in():
        with Connection(host.port) as connection:
            return ask(connection, "acme.test")[0] == 200

    wait_until(comes_in, 10, "a closed connection makes room")
    for connection in crowd:
        connection.close()


def test_a_changed_limit_of_connections_is_in_force_at_once(host):
    host.plans = plan(connections=1)
    host.add_probe("acme")
    host.start("acme/site")
    with Connection(host.port) as first, Connection(host.port) as second, Connection(host.port) as third:
        assert ask(first, "acme.test")[0] == 200
        assert ask(second, "acme.test")[1] == "RH-CONNECTIONS"
        assert change_plan(host, connections=2) == {"connections": "applied_live"}
        assert ask(third, "acme.test")[0] == 200
    assert change_plan(host) == {"connections": "applied_live"}
    with Connection(host.port) as one, Connection(host.port) as two, Connection(host.port) as three:
        assert [ask(each, "acme.test")[0] for each in (one, two, three)] == [200, 200, 200]


def test_a_gateway_that_dies_takes_its_count_with_it(host):
    host.plans = plan(connections=2)
    host.gateways = 1
    host.add_probe("acme")
    host.start("acme/site")
    with Connection(host.port) as one, Connection(host.port) as two:
        assert ask(one, "acme.test")[0] == 200 and ask(two, "acme.test")[0] == 200
        (pid,) = host.gateway_pids()
        host.note_processes()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: [p for p in host.gateway_pids() if p != pid], 20, "another gateway")

    def comes_in():
        try:
            with Connection(host.port) as fresh:
                return ask(fresh, "acme.test")[0] == 200
        except OSError:
            return False

    wait_until(comes_in, 20, "the dead gateway's connections are not counted")


def fetch(port, name, path, sizes, slot):
    with Connection(port, 60) as connection:
        answer = connection.request(name, path)
        assert answer.status == 200
        sizes[slot] = len(answer.body)


def timed_fetches(host, name, paths):
    """Seconds until all have come whole, and how many bytes they were."""
    sizes = {}
    running = [threading.Thread(target=fetch, args=(host.port, name, path, sizes, slot))
               for slot, path in enumerate(paths)]
    began = time.monotonic()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(90)
    assert len(sizes) == len(paths), "every answer came whole"
    return time.monotonic() - began, sum(sizes.values())


@pytest.mark.sanitized
def test_answers_and_files_of_a_tenant_share_its_bytes_and_leave_the_neighbour_alone(host):
    host.plans = plan(bytes_out="512K")
    tenant = host.add_probe("acme", static="{ /static/: public }", compress="true")
    public = tenant.home / "public"
    public.mkdir()
    tenant.own(public)
    tenant.put("public/large.bin", "f" * (600 * 1024))
    put_on_free_plan(host, host.add_probe("blake"))
    host.start("acme/site", "blake/site")
    paths = ["/echo?id=1&size=400000", "/echo?id=2&size=400000&mode=stream", "/static/large.bin",
             "/static/large.bin", "/echo?id=3&size=300000"]
    result = []
    flood = threading.Thread(target=lambda: result.append(timed_fetches(host, "acme.test", paths)))
    flood.start()
    slowest = 0.0
    while flood.is_alive():
        asked = time.monotonic()
        assert len(host.http("blake.test", "/echo?id=1&size=200000").body) == 200_000
        slowest = max(slowest, time.monotonic() - asked)
        flood.join(0.1)
    (seconds, size), = result
    assert size == 400_000 + 400_000 + 2 * 600 * 1024 + 300_000
    # A second's worth at once, then 512 KiB in each second; both gateways together.
    least = size / RATE - 1
    assert least * 0.9 <= seconds <= least * 1.5 + 2, f"{size} bytes in {seconds:.2f} s, {least:.2f} s are due"
    assert slowest < 2, f"the neighbour waited {slowest:.2f} s"
    assert change_plan(host) == {"bytes_out": "applied_live"}
    seconds, _ = timed_fetches(host, "acme.test", paths)
    assert seconds < least / 2, "without a limit nobody waits"


def test_a_limit_that_is_lifted_lets_go_who_waits(host):
    host.plans = plan(bytes_out="16K")
    host.add_probe("acme")
    host.start("acme/site")
    result = []
    running = threading.Thread(
        target=lambda: result.append(timed_fetches(host, "acme.test", ["/echo?id=1&size=5000000"])))
    running.start()
    running.join(1)
    assert running.is_alive(), "five minutes would be due"
    change_plan(host)
    running.join(30)
    assert result and result[0][1] == 5_000_000


def test_a_gateway_that_paces_does_not_spin(host):
    host.plans = plan(bytes_out="64K")
    host.gateways = 1
    host.add_probe("acme")
    host.start("acme/site")
    (pid,) = host.gateway_pids()

    def ticks():
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    seconds, _ = timed_fetches(host, "acme.test", [f"/echo?id={n}&size=50000" for n in range(5)])
    assert seconds > 2
    assert (ticks() - before) / 100 < seconds * 0.2, "a fifth of a processor would be far too much"


def test_what_goes_through_a_websocket_leaves_the_same_bucket(host):
    host.plans = plan(bytes_out="256K")
    acme = put_app(host)
    host.start("acme/site")
    with WebSocket(host.port, acme.domain, "/echo") as socket:
        began = time.monotonic()
        for _ in range(8):
            socket.send(b"x" * 100_000)
            assert len(socket.receive()) == 100_000
        seconds = time.monotonic() - began
    least = 800_000 / (256 * 1024) - 1
    assert seconds >= least * 0.9, f"{seconds:.2f} s, at least {least:.2f} s are due"
