"""A loud tenant beside a quiet one in the same gateway."""
import os
import signal
import socket
import struct

import pytest

from http_client import Connection
from processes import wait_until
from rowhouse_host import PATIENCE_S

LOUD = 400
REDIRECT = 301
PIPELINES, DEPTH = 48, 900
SO_TIMESTAMPNS = 35


def add(host, name):
    """With an address that the gateway answers by itself: neither a worker's nor a disk's time is measured."""
    return host.add_probe(name, redirect=f"{{ {name}.test/old: /new }}")


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0] == "T"


def arrival_ns(connection):
    """When the kernel received the answer, whenever we come to read it (socket(7), SO_TIMESTAMPNS)."""
    data, ancillary, _, _ = connection.socket.recvmsg(65536, 1024)
    assert data.startswith(f"HTTP/1.1 {REDIRECT}".encode())
    [stamp] = [value for level, kind, value in ancillary if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)]
    seconds, nanoseconds = struct.unpack("qq", stamp)
    return seconds * 1_000_000_000 + nanoseconds


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid), PATIENCE_S, "the gateway stands still")


def answers_there(connection):
    """How many the kernel has for us by now."""
    connection.setblocking(False)
    received = bytearray()
    try:
        while part := connection.recv(1 << 20):
            received += part
    except BlockingIOError:
        pass
    return received.count(b"HTTP/1.1 301")


def test_a_request_waits_for_a_part_of_the_loud_tenants_requests_at_most(host):
    """All of them are there when the gateway comes to look, and that of the quiet one came last."""
    host.gateways, host.gateway_keys = 1, ", connections_per_address: 100000, penalties: false"
    loud, quiet = add(host, "acme"), add(host, "globex")
    host.start("acme/site", "globex/site")
    [gateway] = host.gateway_pids()
    connections = [Connection(host.port, 30) for _ in range(LOUD)]
    other = Connection(host.port, 30)
    for each in [*connections, other]:
        each.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    try:
        for each in connections:
            assert each.request(loud.domain, "/old").status == REDIRECT
        assert other.request(quiet.domain, "/old").status == REDIRECT  # both have had work just now
        stop(gateway)
        for each in connections:
            each.send(loud.domain, "/old")
        other.send(quiet.domain, "/old")
        os.kill(gateway, signal.SIGCONT)
        quiet_at = arrival_ns(other)
        before = sum(arrival_ns(each) < quiet_at for each in connections)
        assert before < LOUD / 2, f"{before} of {LOUD} were answered before the quiet tenant's one"
    finally:
        os.kill(gateway, signal.SIGCONT)
        for each in [*connections, other]:
            each.close()


@pytest.mark.parametrize("known", [True, False], ids=["known", "fresh"])
def test_a_request_does_not_wait_for_all_that_was_pipelined_before_it(host, known):
    """However much one tenant's connections have sent ahead, the loop looks at the others' between."""
    host.gateways = 1
    loud, quiet = add(host, "acme"), add(host, "globex")
    host.start("acme/site", "globex/site")
    [gateway] = host.gateway_pids()
    request = f"GET /old HTTP/1.1\r\nHost: {loud.domain}\r\n\r\n".encode()
    connections = [socket.socket() for _ in range(PIPELINES)]
    other = Connection(host.port, 30)
    try:
        for each in connections:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            each.connect(("127.0.0.1", host.port))
            if known:
                each.sendall(request)
                assert b" 301 " in each.recv(4096)
        assert other.request(quiet.domain, "/old").status == REDIRECT
        stop(gateway)
        for each in connections:
            each.sendall(request * DEPTH)
        other.send(quiet.domain, "/old")
        os.kill(gateway, signal.SIGCONT)
        arrival = other.socket.recv(65536)
        assert arrival.startswith(b"HTTP/1.1 301")
        for _ in range(7):
            assert other.request(quiet.domain, "/old").status == REDIRECT
        stop(gateway)
        answered = sum(answers_there(each) for each in connections)
        assert answered < PIPELINES * DEPTH / 4, f"{answered} of {PIPELINES * DEPTH} came before eight of the quiet tenant"
    finally:
        os.kill(gateway, signal.SIGCONT)
        for each in [*connections, other]:
            each.close()
