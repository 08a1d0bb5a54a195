"""A loud tenant beside a quiet one in the same gateway."""
import os
import signal
import socket
import struct

from http_client import Connection
from processes import wait_until
from rowhouse_host import PATIENCE_S

LOUD = 400
REDIRECT = 301
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
