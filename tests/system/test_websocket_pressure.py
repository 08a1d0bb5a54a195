"""A WebSocket whose app or client is slow: what waits is bounded, and only who has vanished is closed."""
import queue
import threading

import pytest
from rowhouse_host import PATIENCE_S
from test_asgi import app_log, put_app
from websocket_client import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, frame

pytestmark = pytest.mark.sanitized

BIG_BYTES = 2 * 1024 * 1024

# A worker that pings in short intervals until somebody asks for "/release".
HASTY = """
import plain

async def application(scope, receive, send):
    import _rowhouse_asgi_exchanges as exchanges  # it is there when the event loop is
    if scope["type"] == "lifespan":
        exchanges.PING_INTERVAL_S = 0.3
    elif scope["path"] == "/release":
        exchanges.PING_INTERVAL_S = 20
    await plain.application(scope, receive, send)
"""


@pytest.fixture
def acme(host):
    tenant = put_app(host)
    host.start("acme/site")
    return tenant


@pytest.fixture
def hasty(host):
    tenant = put_app(host, asgi="hasty:application")
    tenant.put("asgi/hasty.py", HASTY)
    host.start("acme/site")
    return tenant


def test_a_client_that_reads_no_pongs_is_made_to_wait(host, acme):
    pings = frame(PING, b"p" * 125) * 200_000
    with WebSocket(host.port, acme.domain, "/echo") as deaf, WebSocket(host.port, acme.domain, "/echo") as good:
        taken = deaf.send_until_blocked(pings)
        assert taken < len(pings), "pongs are kept without bound"
        good.send("still here")
        assert good.receive() == "still here"


def test_a_client_that_reads_gets_a_pong_for_each_of_many_pings(host, acme):
    count = 20_000
    with WebSocket(host.port, acme.domain, "/echo") as socket:
        sender = threading.Thread(target=socket.socket.sendall, args=(frame(PING, b"p" * 125) * count + frame(TEXT, b"end"),))
        sender.start()
        for _ in range(count):
            assert socket.read_frame() == (PONG, b"p" * 125, True)
        assert socket.receive() == "end"
        sender.join(PATIENCE_S)


def test_large_messages_that_wait_for_the_app_are_counted_in_bytes(host, acme):
    count = 20
    messages = frame(BINARY, b"x" * BIG_BYTES) * count
    with WebSocket(host.port, acme.domain, "/deaf") as socket:
        taken = socket.send_until_blocked(messages)
        assert taken < len(messages) / 2, f"{taken} bytes were taken for an app that receives nothing"
        assert host.http(acme.domain, "/release").status == 200
        socket.socket.sendall(messages[taken:])
        socket.send("how many?")
        assert socket.receive() == str(count * BIG_BYTES)


def sender_of(socket, first):
    """A thread that sends `first` and then what is put into the queue, until None: frames stay whole."""
    outgoing = queue.Queue()
    outgoing.put(first)

    def run():
        while (data := outgoing.get()) is not None:
            socket.socket.sendall(data)

    threading.Thread(target=run, daemon=True).start()
    return outgoing


def test_a_client_whose_pong_stands_behind_data_for_a_slow_app_is_not_closed(host, hasty):
    count = 400
    with WebSocket(host.port, hasty.domain, "/deaf") as socket:
        outgoing = sender_of(socket, frame(BINARY, b"x" * 20_000) * count)
        for number in range(5):
            opcode, payload, _ = socket.read_frame()
            assert opcode == PING, f"after {number} pings: {opcode} {payload}"
            outgoing.put(frame(PONG, payload))
        assert host.http(hasty.domain, "/release").status == 200
        outgoing.put(frame(TEXT, b"how many?"))
        assert socket.receive() == str(count * 20_000)
        outgoing.put(None)


def test_a_client_in_the_middle_of_a_long_frame_is_alive(host, hasty):
    with WebSocket(host.port, hasty.domain, "/echo") as socket:
        message = frame(BINARY, b"slowly")
        for byte in message[:5]:
            socket.socket.sendall(bytes([byte]))
            assert socket.read_frame()[0] == PING
        socket.socket.sendall(message[5:])
        assert socket.receive() == b"slowly"


def test_a_client_that_answers_no_ping_is_closed(host, hasty):
    with WebSocket(host.port, hasty.domain, "/echo") as socket:
        assert socket.read_frame()[0] == PING
        opcode, payload, _ = socket.read_frame()
        assert (opcode, payload) == (CLOSE, b"\x03\xf3no answer to a ping")


CLOSING = """
    CODES = {"/none": {"code": None}, "/text": {"code": "4000"}, "/surrogate": {"reason": "\\ud800"}}

    async def application(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"a place"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", **CODES[scope["path"]]})
    """


@pytest.mark.parametrize("path, code", [("/none", 1000), ("/text", 1011), ("/surrogate", 1011)])
def test_a_close_that_cannot_be_written_ends_the_socket_and_gives_its_place_back(host, path, code):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", CLOSING)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], asgi: 'app:application', concurrency: 1 }}\n")
    host.start("acme/site")
    with WebSocket(host.port, tenant.domain, path) as socket:
        assert socket.read_close() == (code, "")
        socket.send_frame(CLOSE, code.to_bytes(2, "big"))
        assert socket.is_ended()
    assert host.http(tenant.domain, "/").text == "a place"
    assert (code == 1011) == ("Traceback" in app_log(host))
