"""W11, W25, W27, W29, W30: a worker that stops, goes away, or comes back too often."""
import select
import socket
import time

import pytest
from evil import FRAME_TIMER_S, REQUEST_TIMER_S, Deed, hostage
from http_client import Connection, CutResponse
from processes import wait_until

MIB = 1 << 20
SOCKET_BUFFERS = 16 * MIB  # what the kernel may hold between a client and a gateway, and a gateway and a worker


def push(connection, piece, seconds):
    """Sends until nothing has been taken for a second, or the time is over; how many bytes were taken."""
    connection.socket.settimeout(1)
    taken, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            taken += connection.socket.send(piece)
        except (TimeoutError, socket.timeout, ConnectionError):
            break
    connection.socket.settimeout(20)
    return taken


@pytest.mark.case("W11")
def test_a_worker_that_stops_reading_stops_its_own_client_only(case, evil, gateway, neighbour):
    app = evil.named("t1")
    case.control(app.twin())
    neighbour.wait_more(50)
    state, at, idle = Deed(app), len(neighbour.took), neighbour.since(0)
    with gateway.bounded_memory(2048), Connection(app.host.port) as connection:
        head = f"POST {app.path('sleep')} HTTP/1.1\r\nHost: {app.tenant.domain}\r\nContent-Length: {1 << 30}\r\n\r\n"
        connection.socket.sendall(head.encode())
        taken = push(connection, b"x" * 65536, 10)
        assert taken < SOCKET_BUFFERS, f"{taken} bytes of an upload were taken for a worker that reads nothing"
        answer = connection.read_head()
    busy = neighbour.since(at)
    assert (answer.status, answer.cause) == (504, "RH-REQUEST-TIMEOUT"), answer
    took = time.monotonic() - state.began
    assert REQUEST_TIMER_S * 0.9 < took < REQUEST_TIMER_S + 5, took
    assert busy.median_s < max(0.05, 10 * idle.median_s), (idle.median_s, busy.median_s)
    state.expect_death("RH-REQUEST-TIMEOUT")
    case.walls(f"{taken >> 10} KiB taken, 504, lag {1000 * busy.median_s:.1f} ms")


@pytest.mark.case("W25")
@pytest.mark.parametrize("head", [0, 1])
def test_a_worker_that_stops_itself_is_killed_after_the_requests_time(case, evil, head):
    app = evil.named("t0")
    case.control(app.twin())
    state = Deed(app)
    with Connection(app.host.port) as connection:
        app.send(connection, "stop", head=head)
        answer = connection.read_head()
        if head:
            with pytest.raises(CutResponse):
                list(connection.chunks())
        else:
            assert (answer.status, answer.cause) == (504, "RH-REQUEST-TIMEOUT"), answer
    took = time.monotonic() - state.began
    assert REQUEST_TIMER_S * 0.9 < took < REQUEST_TIMER_S + 3, took
    state.expect_death("RH-REQUEST-TIMEOUT")
    case.walls(f"{'cut' if head else '504'} after {took:.1f} s, killed")


@pytest.mark.case("W27")
def test_a_channel_that_its_worker_ends_is_seen_at_once_and_the_worker_replaced(case, evil):
    control, states = None, []
    for how, head in (("write", 0), ("both", 0), ("close", 0), ("write", 1)):
        app = evil.take()
        control = app.twin()
        states.append(Deed(app))
        with hostage(app), Connection(app.host.port) as connection:
            app.send(connection, "end", how=how, head=head)
            if head:
                with pytest.raises(CutResponse):
                    connection.read_response()
            else:
                answer = connection.read_response()
                assert (answer.status, answer.cause) == (502, "RH-WORKER-GONE"), answer
        assert time.monotonic() - states[-1].began < FRAME_TIMER_S / 2
    # Their processes live on without a channel and serve nobody: they have some time to die by themselves.
    for state in states:
        state.expect_death("RH-PROTOCOL", within=3 * FRAME_TIMER_S)
    case.control(control)
    case.walls("502 or cut at once, then RH-PROTOCOL")


@pytest.mark.case("W27")
def test_a_worker_that_reads_no_more_is_seen_with_the_next_request(case, evil):
    app = evil.take()
    case.control(app.twin())
    state = Deed(app)
    with Connection(app.host.port) as connection:
        app.send(connection, "end", how="read")
        # The next request finds the channel closed.  It has not left the gateway, so the next worker gets it.
        wait_until(lambda: app.ask("twin").status == 200 and select.select([connection.socket], [], [], 0)[0], 20,
                   "the gateway notices")
        answer = connection.read_response()
        assert (answer.status, answer.cause) == (502, "RH-WORKER-GONE"), answer
    state.expect_death("RH-PROTOCOL", within=3 * FRAME_TIMER_S)
    case.walls("502, then RH-PROTOCOL")


@pytest.mark.case("W29")
def test_what_a_worker_says_is_stored_escaped(case, evil, evil_host):
    app = evil.take()
    state = Deed(app)
    case.control(app.twin())
    evil_bytes = b"mark-w29 \x1b[2J\x1b]0;owned\x07 \x00 \x9b31m \xff \x7f \r overwritten"
    assert app.ask("say", hex=(evil_bytes + b"\nmark-w29 second line\n").hex()).body == b"said"
    logs = evil_host.directory / "logs"
    wait_until(lambda: any(b"second line" in path.read_bytes() for path in logs.rglob("*") if path.is_file()), 10,
               "the log has what the worker said")
    raw = b"".join(path.read_bytes() for path in logs.rglob("*") if path.is_file())
    lines = [line for line in raw.split(b"\n") if b"mark-w29" in line]
    assert len(lines) == 2, lines
    assert all(32 <= byte < 127 for line in lines for byte in line), lines
    said = evil_host.cli("logs", app.identity).out
    assert "second line" in said and not [c for c in said if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    answer = app.ask("head", reason="\x1b[2J owned\x9b")
    assert (answer.status, answer.cause) == (502, "RH-BAD-RESPONSE"), answer
    state.expect_unharmed()
    case.walls("escaped in the file and in the CLI; as a reason 502")


@pytest.mark.case("W30")
def test_a_worker_that_leaves_at_once_is_started_less_and_less_often(case, evil, gateway):
    app = evil.named("e0")
    case.control(app.twin())
    app.lay_out("crash")
    app.notes.unlink(missing_ok=True)
    try:
        app.ask("leave")
        time.sleep(2)  # the attack itself: two seconds of leaving as often as it is let
        starts = app.notes.read_text().split("\n").count("started")
        assert 2 <= starts <= 10, starts
        status = app.host.status(app.identity)
        assert status["state"] in ("backoff", "starting") and status["last_exit"]["code"] == "RH-EXIT", status
        answer = app.ask("twin")
        assert (answer.status, answer.cause) == (503, "RH-BACKOFF") and int(answer.header("Retry-After")) >= 1, answer
    finally:  # a second try needs it whole
        (app.tenant.home / "next" / f"{app.name}.crash").unlink()
        assert app.host.cli("restart", app.identity).code == 0  # its next start may be half a minute away
    app.wait_running()
    app.twin()
    case.walls(f"{starts} starts in two seconds, 503 RH-BACKOFF")


@pytest.mark.case("W30")
def test_a_post_that_a_leaving_worker_had_is_not_given_to_the_next(case, evil):
    app = evil.take()
    case.control(app.twin())
    state = Deed(app)
    app.notes.unlink(missing_ok=True)
    for count in (1, 2, 3):
        app.wait_running()
        with Connection(app.host.port) as connection:
            app.send(connection, "leave", method="POST", body=b"once")
            answer = connection.read_response()
        assert (answer.status, answer.cause) == (502, "RH-WORKER-GONE"), answer
        app.wait_running()
        assert app.notes.read_text().splitlines() == ["left POST"] * count
    assert app.host.status(app.identity)["last_exit"]["code"] == "RH-EXIT"
    assert state.violations() == []
    case.walls("502 each time, run once each time")
