"""WebSocket through the real gateway: the handshake, frames good and bad, closing, and who waits for whom."""
import json
import os
import signal
import struct

import pytest
from processes import wait_until
from rowhouse_host import PATIENCE_S
from test_asgi import app_log, put_app
from websocket_client import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Refused, WebSocket, frame

pytestmark = pytest.mark.sanitized


@pytest.fixture
def acme(host):
    tenant = put_app(host)
    host.start("acme/site")
    return tenant


@pytest.fixture
def connect(host, acme):
    return lambda path="/echo", **options: WebSocket(host.port, acme.domain, path, **options)


def disconnects(host, acme):
    return json.loads(host.http(acme.domain, "/disconnects").body)


def test_messages_of_every_size_come_back(connect):
    with connect() as socket:
        for size in (0, 1, 125, 126, 65535, 65536, 3_000_000):
            socket.send("ä" * (size // 2))
            assert socket.receive() == "ä" * (size // 2)
            socket.send(b"\x00\xff" * (size // 2))
            assert socket.receive() == b"\x00\xff" * (size // 2)
        assert socket.close() == (1000, "")


def test_the_handshake_of_rfc_6455(connect):
    with connect(key="dGhlIHNhbXBsZSBub25jZQ==", subprotocols=("other", "chat")) as socket:
        assert socket.head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
        assert socket.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert socket.header("Upgrade") == "websocket" and socket.header("Connection") == "Upgrade"
        assert socket.header("Sec-WebSocket-Protocol") == "chat" and socket.header("X-App") == "echo"
    with connect(subprotocols=("other",)) as socket:
        assert socket.header("Sec-WebSocket-Protocol") is None


def test_what_comes_with_the_handshake_is_not_lost(connect):
    with connect(with_head=frame(TEXT, b"early") + frame(TEXT, b"bird")) as socket:
        assert (socket.receive(), socket.receive()) == ("early", "bird")


@pytest.mark.parametrize("options, status", [({"version": "8"}, 426), ({"key": "too short"}, 400), ({"key": ""}, 400)])
def test_a_bad_handshake_is_refused(connect, options, status):
    with pytest.raises(Refused) as refused:
        connect(**options)
    assert refused.value.status == status
    if status == 426:
        assert "sec-websocket-version: 13" in refused.value.head.lower()


@pytest.mark.parametrize("path, status, body", [("/reject", 403, b""), ("/deny", 401, b"who are you?")])
def test_an_app_may_refuse_the_handshake(connect, path, status, body):
    with pytest.raises(Refused) as refused:
        connect(path)
    assert (refused.value.status, refused.value.body) == (status, body)


def test_an_app_that_fails_before_the_handshake_is_500(host, connect):
    with pytest.raises(Refused) as refused:
        connect("/broken")
    assert refused.value.status == 500
    wait_until(lambda: "before the handshake" in app_log(host), PATIENCE_S, "the traceback")


def test_the_same_path_without_an_upgrade_is_a_page(host, acme):
    assert host.http(acme.domain, "/echo").status == 200
    assert host.http(acme.domain, "/echo", headers={"Upgrade": "websocket"}).status == 200


def test_a_message_in_fragments_with_pings_between_them(connect):
    with connect() as socket:
        socket.send_frame(TEXT, "grün".encode()[:3], fin=False)  # cut inside a character
        socket.send_frame(PING, b"are you there?")
        socket.send_frame(CONTINUATION, "grün".encode()[3:], fin=False)
        socket.send_frame(CONTINUATION, b"!", fin=True)
        assert socket.read_frame() == (PONG, b"are you there?", True)
        assert socket.receive() == "grün!"


def test_a_frame_may_come_byte_by_byte(connect):
    with connect() as socket:
        for byte in frame(BINARY, b"slowly"):
            socket.socket.sendall(bytes([byte]))
        assert socket.receive() == b"slowly"


BAD = {
    "text that is not UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "fragments that together are not UTF-8": (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"x"), 1007),
    "a frame without a mask": (frame(TEXT, b"hello", masked=False), 1002),
    "a reserved bit": (frame(TEXT, b"hello", reserved=0x40), 1002),
    "a reserved opcode": (frame(3, b"hello"), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"hello"), 1002),
    "a message inside a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "a ping in fragments": (frame(PING, b"a", fin=False), 1002),
    "a ping that is too long": (frame(PING, b"a" * 126), 1002),
    "a close code that nobody may send": (frame(CLOSE, struct.pack(">H", 1005)), 1002),
    "half a close code, which wslay reads as none": (frame(CLOSE, b"\x03"), 1005),
    "a message that is too large": (struct.pack(">BBQ4x", 0x82, 0xff, 17 * 1024 * 1024) + b"x", 1009),
    "a message without end": (struct.pack(">BBQ4x", 0x82, 0xff, (1 << 63) - 1) + b"x", 1009),
}


@pytest.mark.parametrize("name", BAD)
def test_what_breaks_a_rule_is_closed_with_its_code_and_harms_nobody(host, acme, connect, name):
    data, code = BAD[name]
    with connect() as good, connect() as bad:
        bad.socket.sendall(data)
        assert bad.read_close()[0] == code
        assert bad.is_ended()
        good.send("still here")
        assert good.receive() == "still here"
    wait_until(lambda: len(disconnects(host, acme)) == 2, PATIENCE_S, "both apps have ended")
    assert host.status("acme/site")["restarts"] == 0


def test_each_side_may_close_with_code_and_reason(host, acme, connect):
    with connect() as socket:
        assert socket.close(4321, "bye äh".encode()) == (4321, "bye äh")
    wait_until(lambda: disconnects(host, acme) == [[4321, "bye äh"]], PATIENCE_S, "the app heard of it")
    with connect() as socket:
        socket.send("close please")
        assert socket.read_close() == (4001, "as you wish")
        socket.send_frame(CLOSE, struct.pack(">H", 4001))
        assert socket.is_ended()
    with connect() as socket:
        socket.send("return please")
        assert socket.read_close() == (1000, "")
    with connect() as socket:
        socket.send("fail please")
        assert socket.read_close() == (1011, "")
    wait_until(lambda: "the socket's app is broken" in app_log(host), PATIENCE_S, "the traceback")


def test_a_client_that_vanishes_is_1006_for_the_app(host, acme, connect):
    with connect() as socket:
        socket.send("x")
        assert socket.receive() == "x"
    wait_until(lambda: disconnects(host, acme) == [[1006, ""]], PATIENCE_S, "the app heard of it")


def test_an_app_that_does_not_read_stops_its_client_and_nobody_else(host, acme, connect):
    message = frame(BINARY, b"x" * 100_000)
    with connect("/deaf") as deaf, connect() as good:
        taken = deaf.send_until_blocked(message * 300)
        assert taken < 25_000_000, "the gateway or the worker buffers without bound"
        good.send("still here")
        assert good.receive() == "still here"
        assert host.http(acme.domain, "/release").status == 200
        rest = (message * 300)[taken:]
        deaf.socket.sendall(rest)
        deaf.send("how many?")
        assert deaf.receive() == "30000000"


def test_a_client_that_does_not_read_stops_its_app_and_nobody_else(host, acme, connect):
    with connect("/flood") as slow, connect() as good:
        seen = []

        def has_stopped():
            seen.append(int(host.http(acme.domain, "/flooded").text))
            return len(seen) > 20 and seen[-1] == seen[-20]

        wait_until(has_stopped, PATIENCE_S, "the app waits")
        assert seen[-1] < 500
        good.send("still here")
        assert good.receive() == "still here"
        for _ in range(2000):
            assert slow.receive() == b"x" * 50000
        assert slow.read_close()[0] == 1000


def test_a_restart_tells_clients_to_come_again(host, acme, connect):
    with connect() as socket:
        restart = host.cli_begin("restart", "acme/site")
        assert socket.read_close()[0] == 1012
        socket.send_frame(CLOSE, struct.pack(">H", 1012))
        assert socket.is_ended()
        assert restart.wait(PATIENCE_S) == 0
    with connect() as socket:
        socket.send("again")
        assert socket.receive() == "again"


def test_a_worker_that_dies_ends_its_sockets(host, acme, connect):
    with connect() as socket:
        os.kill(host.worker_pids("acme/site")[0], signal.SIGKILL)
        assert socket.is_ended()


def test_a_socket_counts_as_a_request_while_it_is_open(host):
    tenant = put_app(host, concurrency="2", timeouts="{ startup: 60s, queue: 200ms }")
    host.start("acme/site")
    with WebSocket(host.port, tenant.domain, "/echo"), WebSocket(host.port, tenant.domain, "/echo"):
        assert host.http(tenant.domain, "/").status == 503
    wait_until(lambda: host.http(tenant.domain, "/").status == 200, PATIENCE_S, "a place is free again")


def test_a_wsgi_app_answers_an_upgrade_as_a_page(host):
    tenant = host.add_probe("acme")
    host.start("acme/site")
    with pytest.raises(Refused) as refused:
        WebSocket(host.port, tenant.domain, "/hello")
    assert refused.value.status == 200
