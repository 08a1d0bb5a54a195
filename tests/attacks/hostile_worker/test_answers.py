"""W12-W19, W24, W26, W28: answers that break HTTP, claim what they are not, or come at a bad time."""
import ctypes
import os
import time

import pytest
from evil import Deed, hostage
from http_client import Connection, CutResponse

SPLIT = "x\r\nSet-Cookie: a=b\r\n\r\n<forged>"
IN_OPEN, IN_NONBLOCK, IN_CLOEXEC = 0x20, 0o4000, 0o2000000


def expect_bad_response(app, connection=None, **query):
    """502 of the gateway's own, nothing of the answer in it; the worker goes on."""
    if connection:
        answer = connection.request(app.tenant.domain, app.path("head", **query))
    else:
        answer = app.ask("head", **query)
    assert (answer.status, answer.cause) == (502, "RH-BAD-RESPONSE"), answer
    text = repr(answer.headers) + answer.text
    assert "forged" not in text and answer.header("Set-Cookie") is None and b"hello" not in answer.body, answer


@pytest.mark.case("W12")
@pytest.mark.parametrize("status", [0, 99, 199, 600, 1000, 65535])
def test_a_status_that_is_none_ends_the_worker(case, evil, status):
    app = evil.take()
    assert app.ask("head", status=599).status == 599
    case.control("status 599 is served")
    state = Deed(app)
    with hostage(app):
        assert app.ask("head", status=status).status == 502
    case.walls(f"status {status}: 502, RH-PROTOCOL ({state.expect_violation()})")


@pytest.mark.case("W13")
def test_a_field_name_that_is_no_token_is_502(case, evil):
    app = evil.take()
    state = Deed(app)
    assert app.ask("head", name="X-Good", value="1").header("X-Good") == "1"
    case.control("X-Good: 1 is served")
    with Connection(app.host.port) as connection:
        for name in ("X Y", "X:", "X\r", "X\n", "X\r\nSet-Cookie: a=b", "X\0", "X\x7f", "X\x80", "X\t", "(X)"):
            expect_bad_response(app, connection, name=name, value="forged")
    state.expect_unharmed()
    # A field without a name is no field of the protocol at all.
    with hostage(app):
        assert app.ask("head", value="forged").status == 502
    case.walls(f"502 for each of 10 names; empty: RH-PROTOCOL ({state.expect_violation()})")


@pytest.mark.case("W13")
def test_a_field_name_of_64_kib_ends_the_worker(case, evil, gateway):
    app = evil.take()
    assert app.ask("sized", fields=1, name=16000, value=1).status == 200
    case.control("a name of 16,000 bytes is served")
    state = Deed(app)
    with gateway.bounded_memory(1024):
        assert app.ask("sized", fields=1, name=65535, value=1).status == 502
        rule = state.expect_violation()
    case.walls(f"502, RH-PROTOCOL ({rule})")


@pytest.mark.case("W14")
def test_a_field_value_cannot_split_the_response(case, evil):
    app = evil.take()
    state = Deed(app)
    assert app.ask("head", name="X-Good", value="a b\tc\xe9").status == 200
    case.control("a value with blanks and obs-text is served")
    with Connection(app.host.port) as connection:
        for value in (SPLIT, "forged\r", "forged\n", "forged\0", "forged\x1b[2J", "forged\x7f", "\nforged"):
            expect_bad_response(app, connection, name="X-Split", value=value)
            expect_bad_response(app, connection, number=21, value=value)  # Location, by its number
        for reason in ("OK\r\nSet-Cookie: a=b", "forged\n", "forged\0", "forged\x1b[2J"):
            expect_bad_response(app, connection, reason=reason)
    state.expect_unharmed()
    case.walls("502 RH-BAD-RESPONSE, no field of it reaches the client")


@pytest.mark.case("W15")
def test_a_malformed_length_is_502(case, evil):
    app = evil.take()
    state = Deed(app)
    assert app.ask("head", name="Content-Length", value="5").body == b"hello"
    case.control("Content-Length: 5 with five bytes is served")
    for value in ("-1", "5, 5", "5 5", "+5", "0x5", "", "5\t5", "18446744073709551616", "99999999999999999999999"):
        expect_bad_response(app, name="Content-Length", value=value)
    for more in ("5", "6"):
        expect_bad_response(app, name="Content-Length", value="5", more=more)
    state.expect_unharmed()
    case.walls("502 RH-BAD-RESPONSE for each of 11 lengths")


@pytest.mark.case("W15")
def test_a_length_that_is_not_kept_is_visible(case, evil):
    app = evil.take()
    state = Deed(app)
    case.control(app.twin())
    with Connection(app.host.port) as connection:
        over = connection.request(app.tenant.domain, app.path("head", name="Content-Length", value="5",
                                                              body="0123456789"))
        assert over.body == b"01234"
        with pytest.raises(CutResponse):
            connection.take(1)
    with Connection(app.host.port) as connection, pytest.raises(CutResponse):
        connection.request(app.tenant.domain, app.path("head", name="Content-Length", value="10", body="01234"))
    with Connection(app.host.port) as connection:  # HTTP/1.0, the end of the connection is the framing
        connection.socket.sendall(f"GET {app.path('begin', length=0)} HTTP/1.0\r\nHost: {app.tenant.domain}\r\n\r\n"
                                  .encode())
        assert connection.read_head().status == 200
        app.ask("leave")
        with pytest.raises(ConnectionResetError):
            while connection.socket.recv(100):
                pass
    state.expect_death("RH-EXIT")
    case.walls("over: cut at 5, closed; under: cut; no length: reset")


@pytest.mark.case("W16")
def test_framing_belongs_to_the_gateway_alone(case, evil):
    app = evil.take()
    state = Deed(app)
    assert app.ask("head", name="X-Kept", value="1").header("X-Kept") == "1"
    case.control("another field is passed on")
    own = {"connection": "close", "transfer-encoding": "chunked"}
    with Connection(app.host.port) as connection:
        for name, value in (("Transfer-Encoding", "gzip, chunked"), ("transfer-encoding", "identity"),
                            ("Connection", "X-Foo"), ("Connection", "close"), ("Keep-Alive", "timeout=9"),
                            ("Upgrade", "websocket"), ("TE", "trailers"), ("Trailer", "X-After"),
                            ("Proxy-Connection", "keep-alive"), ("Proxy-Authenticate", "Basic"),
                            ("Server", "forged"), ("Date", "forged"), ("Rowhouse-Cause", "forged")):
            answer = connection.request(app.tenant.domain, app.path("head", name=name, value=value))
            assert (answer.status, answer.body) == (200, b"hello"), (name, answer)
            said = [v for k, v in answer.headers if k.lower() == name.lower()]
            assert value not in said or own.get(name.lower()) == value, (name, answer)
            assert len(said) <= 1, answer
            assert answer.header("Transfer-Encoding") == "chunked", answer
    state.expect_unharmed()
    case.walls("dropped; the connection is kept and in step")


@pytest.mark.case("W17")
def test_too_many_fields_end_the_worker_and_cost_no_memory(case, evil, gateway):
    app = evil.take()
    assert app.ask("sized", fields=90).status == 200
    case.control("90 fields are served")
    with gateway.bounded_memory(1024):
        rules = set()
        for count, size in ((101, 1), (9000, 1), (10000, 1), (10, 1 << 20), (160, 65000)):
            app = evil.take()
            state = Deed(app)
            with hostage(app):
                assert app.ask("fields", count=count, size=min(size, 65000)).status == 502
            rules.add(state.expect_violation())
    case.walls(f"502, RH-PROTOCOL ({', '.join(sorted(rules))})")


@pytest.mark.case("W18")
@pytest.mark.parametrize("status, count", [(101, 1), (103, 1), (100, 100_000)])
def test_no_interim_response_comes_from_a_worker(case, evil, gateway, status, count):
    app = evil.take()
    case.control(app.twin())
    state = Deed(app)
    with gateway.bounded_memory(1024), Connection(app.host.port) as connection:
        app.send(connection, "interim", status=status, count=count)
        assert connection.read_head().status == 502
        rule = state.expect_violation()
    case.walls(f"{count} x {status}: 502, RH-PROTOCOL ({rule})")


@pytest.mark.case("W19")
@pytest.mark.parametrize("method, status", [("GET", 204), ("GET", 304), ("HEAD", 200)])
def test_a_body_where_none_may_be_is_dropped_and_the_connection_stays_in_step(case, evil, method, status):
    app = evil.take()
    state = Deed(app)
    case.control(app.twin())
    forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    for length in ({}, {"name": "Content-Length", "value": len(forged)}):
        with Connection(app.host.port) as connection:  # both requests at once
            connection.send(app.tenant.domain, app.path("head", status=status, body=forged, **length), method=method)
            app.send(connection, "pid")
            assert connection.read_response(method).status == status
            following = connection.read_response()
            assert following.status == 200 and following.body.isdigit(), following
    state.expect_unharmed()
    case.walls("body dropped, the pipelined answer is right")


class Opened:
    """Whether anybody opens a file, as the kernel tells it."""

    def __init__(self, path):
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        assert self.descriptor >= 0 and libc.inotify_add_watch(self.descriptor, os.fsencode(path), IN_OPEN) >= 0, path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.descriptor)

    def seen(self):
        try:
            return len(os.read(self.descriptor, 4096)) // 16
        except BlockingIOError:
            return 0


@pytest.mark.case("W24")
def test_no_file_is_opened_because_of_a_field(case, evil, evil_host):
    app = evil.take()
    state = Deed(app)
    secret = evil_host.bystander.put("probe/secret.txt", "the bystander's secret\n")
    with Opened(secret) as opened:
        assert secret.read_text() and opened.seen() == 1
        case.control("an open of the file is seen")
        for name in ("X-Sendfile", "X-Accel-Redirect", "X-LIGHTTPD-send-file", "X-Reproxy-URL"):
            for value in (str(secret), f"file://{secret}"):
                answer = app.ask("head", name=name, value=value)
                assert (answer.status, answer.body) == (200, b"hello"), answer
        assert opened.seen() == 0
    state.expect_unharmed()
    case.walls("200 with the app's own body, no open")


@pytest.mark.case("W26")
@pytest.mark.parametrize("size", [30_000, 300_000])
def test_an_unread_body_is_never_the_next_request(case, evil, size):
    app = evil.take()
    state = Deed(app)
    case.control(app.twin())
    smuggled = f"GET {app.path('leave')} HTTP/1.1\r\nHost: {app.tenant.domain}\r\n\r\n".encode()
    body = (smuggled * (size // len(smuggled) + 1))[:size]
    with Connection(app.host.port) as connection:
        head = f"POST {app.path('early')} HTTP/1.1\r\nHost: {app.tenant.domain}\r\nContent-Length: {size}\r\n\r\n"
        connection.socket.sendall(head.encode() + body[:100])
        assert connection.read_response().body == b"early"
        try:
            connection.socket.sendall(body[100:])
            app.send(connection, "pid")
            answer = connection.read_response()
            assert answer.body.isdigit(), answer
            told = "drained, the next answer is right"
            assert size < 64 * 1024
        except (CutResponse, ConnectionError):
            told = "connection closed"
            assert size > 64 * 1024
    state.expect_unharmed()
    assert not app.notes.exists() or "left" not in app.notes.read_text()
    case.walls(f"{size} bytes: {told}")


@pytest.mark.case("W28")
def test_a_million_frames_of_one_byte_are_joined_and_nobody_waits(case, evil, gateway, neighbour):
    app = evil.take()
    state = Deed(app)
    case.control(app.twin())
    neighbour.wait_more(50)
    idle, at, cpu, began = neighbour.since(0), len(neighbour.took), gateway.cpu_s(), time.monotonic()
    with gateway.bounded_memory(4096), Connection(app.host.port, timeout=60) as connection:
        app.send(connection, "tiny", count=1_000_000)
        assert connection.read_head().status == 200
        chunks = [len(chunk) for chunk in connection.chunks()]
    assert sum(chunks) == 1_000_000
    cpu, took = gateway.cpu_s() - cpu, time.monotonic() - began
    neighbour.wait_more(5)
    busy = neighbour.since(at)
    assert len(chunks) < 100_000, "each frame became a chunk"
    assert cpu < 3, f"the gateway needed {cpu:.1f} s"
    assert busy.median_s < max(0.05, 10 * idle.median_s), (idle.median_s, busy.median_s)
    state.expect_unharmed()
    case.walls(f"{len(chunks)} chunks, {cpu:.1f} s of CPU in {took:.1f} s")


@pytest.mark.case("W28")
def test_small_frames_to_a_client_that_does_not_read_take_no_more_memory_than_large_ones(case, evil, gateway):
    app = evil.take()
    case.control(app.twin())
    with gateway.bounded_memory(2048), Connection(app.host.port) as connection:
        app.send(connection, "tiny", count=20_000_000)
        assert connection.read_head().status == 200
        cpu, still_since = gateway.cpu_s(), time.monotonic()
        while time.monotonic() - still_since < 1:  # until the worker has no credit any more
            time.sleep(0.05)
            if gateway.cpu_s() - cpu > 0.05:
                cpu, still_since = gateway.cpu_s(), time.monotonic()
    assert app.host.cli("restart", app.identity).code == 0
    app.twin()
    case.walls("memory in its band")
