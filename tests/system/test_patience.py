"""Slow clients: each kind has its deadline, and none of them is in anybody's way (H46, H47, H49)."""
import threading
import time

import pytest
from http_client import Connection, CutResponse

HEAD_S = 10     # a whole head, and the grace of a body
SLACK_S = 6
DRIP_S = 0.5


def drip(connection, piece, until):
    """Sends a piece again and again until the gateway answers or closes."""
    connection.socket.settimeout(DRIP_S)
    while time.monotonic() < until:
        try:
            connection.socket.sendall(piece)
            data = connection.socket.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return b""
        return data
    raise AssertionError("the gateway waits for ever")


def slow_head(port):
    with Connection(port) as connection:
        connection.socket.sendall(b"GET / HTTP/1.1\r\nHost: acme.test\r\nX: ")
        return drip(connection, b"y", time.monotonic() + HEAD_S + SLACK_S)


def slow_body(port):
    with Connection(port) as connection:
        connection.socket.sendall(b"POST /upload HTTP/1.1\r\nHost: acme.test\r\nContent-Length: 100000\r\n\r\n")
        return drip(connection, b"y", time.monotonic() + HEAD_S + SLACK_S)


def silent(port):
    with Connection(port, HEAD_S + SLACK_S) as connection:
        return connection.socket.recv(1)


def steady_body(port):
    """Slow, but above the least rate: it is waited for."""
    with Connection(port) as connection:
        connection.socket.sendall(b"POST /upload HTTP/1.1\r\nHost: acme.test\r\nContent-Length: 14000\r\n\r\n")
        for _ in range(14):
            connection.socket.sendall(b"x" * 1000)
            time.sleep(1)
        return connection.read_response("POST").status


@pytest.mark.sanitized
def test_slow_clients_are_ended_in_time_and_hold_up_nobody(host):
    host.gateways = 1
    host.add_probe("acme", threads="4")
    host.start("acme/site")
    results, began, ended = {}, time.monotonic(), {}

    def run(name, client):
        try:
            results[name] = client(host.port)
        except (AssertionError, CutResponse, OSError) as error:
            results[name] = error
        ended[name] = time.monotonic() - began

    running = [threading.Thread(target=run, args=(c.__name__, c)) for c in (slow_head, slow_body, silent, steady_body)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        asked = time.monotonic()
        assert host.http("acme.test").status == 200
        assert time.monotonic() - asked < 5, "nobody waits for the slow ones"
        running[0].join(0.5)
        running[-1].join(0.5)
    assert results["slow_head"].startswith(b"HTTP/1.1 408") and ended["slow_head"] >= HEAD_S - 1
    assert results["slow_body"].startswith(b"HTTP/1.1 408") and ended["slow_body"] >= HEAD_S - 1
    assert results["silent"] == b"" and ended["silent"] >= HEAD_S - 1
    assert results["steady_body"] == 200
