"""Answers are taken from the worker at its speed and given to the client at the client's."""
import hashlib
import os
import pathlib
import threading
import time

import pytest
from http_client import Connection
from processes import wait_until
from test_asgi import put_app

CLIENTS = 50
SIZE = 2 * 1024 * 1024
READ_BYTES_PER_S = 1024
MUCH = 24_000_000  # more than the kernel keeps for a socket
KEPT = 64 * 1024 * 1024  # of one answer


def body_of(identity, size):
    line = f"{identity}\n".encode()
    return (line * (size // len(line) + 1))[:size]


class SlowClient:
    """Asks, then takes READ_BYTES_PER_S until it is told to hurry."""

    def __init__(self, port, identity, size):
        self.identity, self.size = identity, size
        self.connection = Connection(port, 120)
        self.connection.send("acme.test", f"/echo?id={identity}&size={size}")

    def sip(self):
        self.connection.buffer += self.connection.socket.recv(READ_BYTES_PER_S)

    def finish(self):
        answer = self.connection.read_response()
        self.connection.close()
        return answer.status == 200 and answer.body == body_of(self.identity, self.size)


def finish_all(clients):
    """All at once: one that takes nothing for half a minute is no slow client but a dead one."""
    whole = []
    running = [threading.Thread(target=lambda client=client: whole.append(client.finish())) for client in clients]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    return len(whole) == len(clients) and all(whole)


def seconds_of_four(host):
    """How long four requests of half a second take that come at once: a worker that holds nothing runs all together."""
    began = time.monotonic()
    running = [threading.Thread(target=host.http, args=("acme.test", "/echo?id=1&ms=500")) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    return time.monotonic() - began


def spooled_bytes(host):
    """In files without a name, of all gateways."""
    found = 0
    for pid in host.gateway_pids():
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                link = os.readlink(entry)
                if "/spool/" in link and "deleted" in link:
                    found += entry.stat().st_size
            except FileNotFoundError:
                pass
    return found


@pytest.mark.sanitized
@pytest.mark.parametrize("clients, size", [(CLIENTS, SIZE), (5, MUCH)], ids=["as the kernel takes them", "in files"])
def test_slow_readers_of_large_answers_leave_a_worker_of_four_threads_free(host, clients, size):
    host.plans = ("  test: { memory: 512M, cpu: 200%, pids: 64, workers: 2, threads: 4, concurrency: 200, queue: 200 }\n")
    host.add_probe("acme", workers="1", threads="4")
    host.gateways = 1
    host.start("acme/site")
    slow = [SlowClient(host.port, number, size) for number in range(clients)]
    for _ in range(3):
        for client in slow:
            client.sip()
        # Behind those who asked before, a normal request waits for nobody who reads.
        assert host.http("acme.test").status == 200
        time.sleep(1)  # the clients' rate
    assert seconds_of_four(host) < 10, "four requests run at the same time"
    if size == MUCH:
        assert spooled_bytes(host) > clients * (MUCH - 8_000_000)
    assert finish_all(slow)
    wait_until(lambda: spooled_bytes(host) == 0, 20, "nothing is left of what they took")


def test_without_it_as_many_slow_readers_as_threads_hold_the_worker(host):
    """The other twin: the same clients are in the way where the tenant does not want answers to be kept."""
    host.add_probe("acme", workers="1", threads="2", buffer_responses="false", timeouts="{ queue: 2s }")
    host.gateways = 1
    host.start("acme/site")
    slow = [SlowClient(host.port, number, MUCH) for number in range(2)]
    for client in slow:
        client.sip()
    answer = host.http("acme.test")
    assert (answer.status, answer.cause) == (503, "RH-QUEUE-TIMEOUT")
    assert finish_all(slow)
    assert host.http("acme.test").status == 200


def test_an_answer_larger_than_what_is_kept_of_one_comes_whole(host):
    host.plans = ("  test: { memory: 1G, cpu: 200%, pids: 64, workers: 2, threads: 4, concurrency: 200, queue: 200 }\n")
    host.add_probe("acme", workers="1", threads="2")
    host.gateways = 1
    host.start("acme/site")
    size = 150_000_000
    with Connection(host.port, 120) as connection:
        connection.send("acme.test", f"/echo?id=7&size={size}&mode=stream")
        connection.read_head()
        wait_until(lambda: spooled_bytes(host) >= KEPT - 1024 * 1024, 60, "as much is kept as may be")
        assert host.http("acme.test").status == 200
        digest, got = hashlib.sha256(), 0
        for number, chunk in enumerate(connection.chunks()):
            digest.update(chunk)
            got += len(chunk)
            if number % 500 == 0:
                assert spooled_bytes(host) <= KEPT + 2 * 1024 * 1024
    assert got == size and digest.hexdigest() == hashlib.sha256(body_of(7, size)).hexdigest()


def test_a_client_that_leaves_takes_what_was_kept_for_it_along(host):
    host.add_probe("acme", workers="1", threads="2")
    host.gateways = 1
    host.start("acme/site")
    client = SlowClient(host.port, 1, MUCH)
    client.sip()
    wait_until(lambda: spooled_bytes(host) > 0, 20, "its answer is in a file")
    client.connection.close()
    wait_until(lambda: spooled_bytes(host) == 0, 20, "the file is gone")


def test_events_reach_a_client_that_keeps_up_one_by_one(host):
    acme = put_app(host)
    host.start("acme/site")
    with Connection(host.port) as connection:
        connection.send(acme.domain, "/ticks")
        assert connection.read_head().status == 200
        times = [time.monotonic() for _, _ in zip(range(10), connection.chunks())]
    assert times[-1] - times[0] > 0.1, "they came while the app made them, not together"
