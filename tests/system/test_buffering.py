"""Request bodies are taken whole before a worker is occupied, in memory and in the gateways' spool directory."""
import hashlib
import json
import os
import pathlib

import pytest
from http_client import Connection
from processes import wait_until

PATIENCE_S = 20
LARGE = 5_000_000


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme", workers="1", threads="1")
    host.gateways = 1
    host.start("acme/site")
    return tenant


def spooled_files(host):
    """The descriptors of the gateway that are files without a name."""
    [pid] = host.gateway_pids()
    links = []
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:
            pass
    return [link for link in links if "/spool/" in link and "deleted" in link]


@pytest.mark.sanitized
def test_a_slow_upload_does_not_occupy_the_only_thread(host, acme):
    body = b"0123456789" * 1000
    with Connection(host.port) as slow:
        slow.socket.sendall(b"POST /upload HTTP/1.1\r\nHost: acme.test\r\nContent-Length: 10000\r\n\r\n" + body[:5000])
        for _ in range(3):
            assert host.http(acme.domain).status == 200  # one thread, and it is free
        slow.socket.sendall(body[5000:])
        answer = slow.read_response("POST")
    assert json.loads(answer.text) == {"bytes": 10000, "sha256": hashlib.sha256(body).hexdigest()}


def test_a_large_body_waits_on_the_disk_and_leaves_nothing(host, acme):
    body = os.urandom(LARGE)
    with Connection(host.port) as slow:
        slow.socket.sendall(b"POST /upload HTTP/1.1\r\nHost: acme.test\r\nContent-Length: %d\r\n\r\n" % LARGE)
        slow.socket.sendall(body[:LARGE // 2])
        wait_until(lambda: len(spooled_files(host)) == 1, PATIENCE_S, "its file is there")
        assert host.http(acme.domain).status == 200
        slow.socket.sendall(body[LARGE // 2:])
        answer = slow.read_response("POST")
        assert json.loads(answer.text)["sha256"] == hashlib.sha256(body).hexdigest()
        wait_until(lambda: not spooled_files(host), PATIENCE_S, "its file has gone")
    # One whose client leaves in the middle.
    with Connection(host.port) as gone:
        gone.socket.sendall(b"POST /upload HTTP/1.1\r\nHost: acme.test\r\nContent-Length: %d\r\n\r\n" % LARGE)
        gone.socket.sendall(body[:LARGE // 2])
        wait_until(lambda: len(spooled_files(host)) == 1, PATIENCE_S, "its file is there")
    wait_until(lambda: not spooled_files(host), PATIENCE_S, "its file has gone")
    assert host.http(acme.domain).status == 200
    assert not list((host.directory / "state" / "spool").iterdir())


STREAMED = """def application(environ, start_response):
    size, block = 0, b''
    while environ['PATH_INFO'] != '/ignore' and (block := environ['wsgi.input'].read(1 << 20)):
        size += len(block)
    start_response('200 OK', [])
    return [str(size).encode()]
"""


@pytest.fixture
def streamed(host):
    """Bodies go to the app as they come."""
    host.gateways = 1
    tenant = host.add_tenant("acme")
    tenant.put("app.py", STREAMED)
    host.set_probe(tenant, wsgi="app:application", directory=".", buffering="false", limits="{ body: 3G }")
    host.start("acme/site")
    return tenant


def test_continue_never_follows_the_answer_of_an_app_that_reads_no_body(host, streamed):
    with Connection(host.port) as connection:
        connection.socket.sendall(b"POST /ignore HTTP/1.1\r\nHost: acme.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        answer = connection.read_response("POST")
        if answer.status == 100:  # before the answer it may come
            answer = connection.read_response("POST")
        assert (answer.status, answer.text) == (200, "0")
        try:
            connection.socket.sendall(b"hello" + b"GET /ignore HTTP/1.1\r\nHost: acme.test\r\nConnection: close\r\n\r\n")
            rest = b"".join(iter(lambda: connection.socket.recv(65536), b""))
        except ConnectionError:
            rest = b""
        assert b" 100 " not in rest and (not rest or rest.startswith(b"HTTP/1.1 200 ")), rest


def test_a_body_of_more_than_two_gibibytes_arrives_whole(host, streamed):
    size, block = (1 << 31) + 10, bytes(1 << 20)
    with Connection(host.port) as connection:
        connection.socket.sendall(b"POST /up HTTP/1.1\r\nHost: acme.test\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            connection.socket.sendall(block)
        connection.socket.sendall(block[:size % (1 << 20)])
        assert connection.read_response("POST").text == str(size)
