"""A FastAPI site, unchanged, under Rowhouse and under uvicorn: the same bodies, the same headers."""
import json
import subprocess

import pytest
from http_client import Connection, get
from processes import wait_until
from rowhouse_host import APPS, PATIENCE_S, free_port
from websocket_client import WebSocket

SERVERS_OWN = {"date", "server", "connection", "transfer-encoding", "keep-alive"}


@pytest.fixture
def acme(host):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "fastapi_site", "site")
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], asgi: 'site_app:app', directory: site, python: '3.11',\n"
                    "    timeouts: { startup: 120s, graceful: 5s, shutdown: 3s } }\n")
    host.start("acme/site")
    return tenant


@pytest.fixture
def uvicorn():
    """The port of a uvicorn that runs the same file."""
    port = free_port()
    process = subprocess.Popen(["/usr/bin/python3", "-m", "uvicorn", "--port", str(port), "--log-level", "warning",
                                "site_app:app"], cwd=APPS / "fastapi_site")

    def answers():
        try:
            return get(port, "acme.test", "/sync").status == 200
        except OSError:
            return False

    wait_until(answers, 3 * PATIENCE_S, "uvicorn answers")
    yield port
    process.terminate()
    process.wait(PATIENCE_S)


MULTIPART = (b"--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n"
             b"Content-Type: application/octet-stream\r\n\r\n" + bytes(range(256)) * 1000 + b"\r\n--limit--\r\n")
REQUESTS = [
    ("GET", "/", {}, b""), ("GET", "/?q=%C3%A4%20b", {}, b""), ("HEAD", "/file", {}, b""), ("GET", "/sync", {}, b""),
    ("POST", "/items", {"Content-Type": "application/json"}, b'{"name": "pen", "price": 1.5}'),
    ("POST", "/items", {"Content-Type": "application/json"}, b'{"name": 1'), ("GET", "/missing", {}, b""),
    ("GET", "/nowhere", {}, b""), ("GET", "/moved", {}, b""), ("PUT", "/", {}, b"x"),
    ("POST", "/upload", {"Content-Type": "multipart/form-data; boundary=limit"}, MULTIPART),
    ("GET", "/stream", {}, b""), ("GET", "/file", {}, b""), ("GET", "/cookies", {}, b""), ("GET", "/openapi.json", {}, b""),
]


def own_headers(response):
    return sorted((name.lower(), value) for name, value in response.headers if name.lower() not in SERVERS_OWN)


def test_the_same_answers_as_under_uvicorn(host, acme, uvicorn):
    for method, path, headers, body in REQUESTS:
        options = {"method": method, "headers": headers, "body": body}
        ours, theirs = host.http(acme.domain, path, **options), get(uvicorn, acme.domain, path, **options)
        assert (ours.status, ours.body) == (theirs.status, theirs.body), (method, path)
        assert own_headers(ours) == own_headers(theirs), (method, path)


def test_server_sent_events_end_when_the_client_leaves(host, acme):
    with Connection(host.port) as connection:
        connection.send(acme.domain, "/events")
        assert connection.read_head().header("Content-Type").startswith("text/event-stream")
        assert next(connection.chunks()).startswith(b"data: tick")
    wait_until(lambda: host.http(acme.domain, "/left").text == "1", PATIENCE_S, "the generator was closed")
    assert "Traceback" not in host.cli("logs", "acme/site").out


def test_a_background_task_runs_after_its_answer(host, acme):
    assert host.http(acme.domain, "/later?what=mail", method="POST").text == '"accepted"'
    wait_until(lambda: json.loads(host.http(acme.domain, "/background").body) == ["mail"], PATIENCE_S, "the task ran")


def test_a_chat_over_websocket(host, acme):
    with WebSocket(host.port, acme.domain, "/chat/lobby", subprotocols=("chat",)) as socket:
        assert socket.header("Sec-WebSocket-Protocol") == "chat"
        for text in ("hello", "Grüße"):
            socket.send(text)
            assert json.loads(socket.receive()) == {"room": "lobby", "heard": text}
        assert socket.close(1001) == (1001, "")
    wait_until(lambda: json.loads(host.http(acme.domain, "/background").body) == ["left with 1001"], PATIENCE_S,
               "the app heard of the end")
