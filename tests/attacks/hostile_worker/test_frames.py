"""W01-W10, W22, W23: bytes that are no frames, frames that the page does not allow, frames of somebody else."""
import struct
import time

import processes
import pytest
from evil import FRAME_TIMER_S, REQUEST_TIMER_S, Deed, hostage
from http_client import Connection, CutResponse
from processes import wait_until

HELLO, START, RESPONSE, DATA, END, ABORT, CREDIT, DRAIN = 1, 4, 5, 6, 7, 8, 9, 10
ONE_READ_KIB = 512  # the buffer that everything is read into, and as much again


def expect_refused(app, deed, **query):
    """The deed costs the worker its channel and its life, the request 502, one that had begun its end."""
    state = Deed(app)
    with hostage(app):
        answer = app.ask(deed, **query)
    assert (answer.status, answer.cause) == (502, "RH-WORKER-GONE"), answer
    return state.expect_violation()


def frame_hex(*fields, payload=b""):
    return (struct.pack("<IBBHI", *fields) + payload).hex()


@pytest.mark.case("W01")
def test_random_bytes_end_the_channel_at_the_first_bad_header(case, evil, gateway):
    app = evil.take()
    case.control(app.twin())
    with gateway.bounded_memory(ONE_READ_KIB):
        rule = expect_refused(app, "raw", random=1 << 20)
    # The header alone is enough, long before any timer.
    state = Deed(app)
    assert app.ask("raw", hex="a5" * 12).status == 502
    assert time.monotonic() - state.began < FRAME_TIMER_S / 2
    state.expect_violation()
    case.walls(f"502, RH-PROTOCOL ({rule}), one read of memory")


@pytest.mark.case("W01")
def test_an_ordinary_app_that_writes_on_the_channel_it_found_is_ended(case, evil):
    app = evil.named("scan")
    answer = app.ask("count")
    assert answer.status == 200 and int(answer.body) >= 1, answer
    case.control(f"{answer.text} channels found in /proc/self/fd, app serves")
    log_at, pid = len(app.host.log), app.worker()[2]
    assert app.ask("write", hex="a5" * 1024).status == 502
    status = app.host.wait_status(app.identity, lambda s: s["state"] == "running" and s["last_exit"])
    assert status["last_exit"]["code"] == "RH-PROTOCOL"
    assert app.host.log[log_at:].count("worker-violated-protocol") == 1
    assert app.worker()[2] != pid and app.ask("count").status == 200
    case.walls("502, RH-PROTOCOL, replaced")


@pytest.mark.case("W02")
def test_a_claimed_length_allocates_nothing(case, evil, gateway):
    app = evil.take()
    case.control(app.twin())
    with gateway.bounded_memory(ONE_READ_KIB):
        for kind in (RESPONSE, DATA):
            for length in (0xFFFFFFFF, 1 << 31):
                expect_refused(evil.take(), "frame", type=kind, length=length)
        # A length of 2^63 in 64 bits: four zeros, then a reserved field that is not zero.
        rule = expect_refused(evil.take(), "raw", hex=struct.pack("<QI", 1 << 63, 1).hex())
    case.walls(f"502, RH-PROTOCOL ({rule}), one read of memory")


@pytest.mark.case("W03")
def test_the_largest_frames_work_and_one_byte_more_does_not(case, evil):
    app = evil.take()
    state = Deed(app)
    assert app.ask("sized", size=32768).body == b"c" * 32768
    field = app.ask("sized", fields=1, name=64, value=16384 - 64)
    assert len(field.headers[2][0]) + len(field.headers[2][1]) == 16384
    heads = app.ask("sized", fields=16, name=96, value=4000)
    assert sum(len(name) + len(value) for name, value in heads.headers if name.startswith("X-a")) == 65536
    state.expect_unharmed()
    case.control("the largest DATA, field and head are served")
    rules = {
        expect_refused(evil.take(), "frame", type=DATA, payload="", length=32769),
        expect_refused(evil.take(), "frame", type=RESPONSE, length=98305),
        expect_refused(evil.take(), "sized", fields=1, name=64, value=16384 - 63),
        expect_refused(evil.take(), "sized", fields=16, name=97, value=4000),
    }
    case.walls(f"502, RH-PROTOCOL ({', '.join(sorted(rules))})")


@pytest.mark.case("W04")
@pytest.mark.parametrize("kind, payload", [(DATA, ""), (RESPONSE, "c800000000"), (END, "010000"), (ABORT, "1000"),
                                           (CREDIT, "010000"), (START, "00")])
def test_a_payload_shorter_than_its_type_is_refused(case, evil, kind, payload):
    app = evil.take()
    case.control(app.twin())
    case.walls(f"502, RH-PROTOCOL ({expect_refused(app, 'frame', type=kind, payload=payload)})")


@pytest.mark.case("W04")
def test_a_head_that_is_shorter_than_it_says_is_refused(case, evil):
    app = evil.take()
    case.control(app.twin())
    texts = ["c8000500" + "0000", "c80000000100", "c80000000200" + "0001006101006200", "c8000000000000"]
    rules = {expect_refused(evil.take(), "frame", type=RESPONSE, payload=text) for text in texts}
    case.walls(f"502, RH-PROTOCOL ({', '.join(sorted(rules))})")


@pytest.mark.case("W05")
def test_half_a_frame_and_silence_ends_with_the_frame_timer(case, evil):
    header, payload = evil.take(), evil.take()
    case.control(header.twin())
    states = [Deed(header), Deed(payload)]
    with Connection(header.host.port) as first, Connection(payload.host.port) as second:
        header.send(first, "raw", hex="0500000006")
        payload.send(second, "frame", type=DATA, length=100, payload="78" * 50)
        assert first.read_response().status == second.read_response().status == 502
    took = time.monotonic() - states[0].began
    assert FRAME_TIMER_S * 0.9 < took < FRAME_TIMER_S + 3, took
    rules = {f"{state.violations()}" for state in states}
    assert all("frame time" in rule for rule in rules), rules
    for state in states:
        state.expect_death("RH-PROTOCOL")
    case.walls(f"502 after {took:.1f} s, RH-PROTOCOL (frame time)")


@pytest.mark.case("W06")
def test_a_drip_inside_a_frame_does_not_move_the_frame_timer(case, evil):
    app = evil.take()
    case.control(app.twin())
    state = Deed(app)
    assert app.ask("drip").status == 502
    took = time.monotonic() - state.began
    assert FRAME_TIMER_S * 0.9 < took < FRAME_TIMER_S + 3, took
    assert state.expect_violation() == "frame time"
    case.walls(f"502 after {took:.1f} s, RH-PROTOCOL")


@pytest.mark.case("W06")
def test_a_drip_of_whole_frames_ends_with_the_requests_time(case, evil):
    app = evil.named("t0")
    case.control(app.twin())
    state = Deed(app)
    with Connection(app.host.port) as connection, pytest.raises(CutResponse):
        app.send(connection, "drip", valid=1)
        assert connection.read_head().status == 200
        list(connection.chunks())
    took = time.monotonic() - state.began
    assert REQUEST_TIMER_S * 0.9 < took < REQUEST_TIMER_S + 3, took
    state.expect_death("RH-REQUEST-TIMEOUT")
    case.walls(f"cut after {took:.1f} s, RH-REQUEST-TIMEOUT")


@pytest.mark.case("W07")
@pytest.mark.parametrize("what, header", [
    ("type 0", {"type": 0}), ("type 11", {"type": 11}), ("type 63", {"type": 63}), ("type 255", {"type": 255}),
    ("a gateway's type", {"type": 2}), ("a flag", {"type": START, "flags": 1}),
    ("all flags", {"type": START, "flags": 255}),
    ("reserved bits", {"type": START, "reserved": 0x8000})])
def test_a_frame_of_no_known_kind_is_refused(case, evil, what, header):
    app = evil.take()
    case.control(app.twin())
    case.walls(f"{what}: 502, RH-PROTOCOL ({expect_refused(app, 'frame', **header)})")


def expect_greeting_refused(app, greeting):
    """A worker that begins its channel like this is ended before any request."""
    log_at = len(app.host.log)
    app.lay_out("greeting", greeting)
    before = app.worker()[1]
    app.ask("leave")  # the next one greets so
    wait_until(lambda: "worker-violated-protocol" in app.host.log[log_at:], 20, "the gateway notes the greeting")
    status = app.host.wait_status(app.identity, lambda s: s["state"] == "running"
                                  and any(w["worker"] >= before + 2 for w in s["workers"] if w["state"] == "ready"))
    assert (status["last_exit"]["code"], status["last_exit"]["worker"]) == ("RH-PROTOCOL", before + 1)
    assert app.host.log[log_at:].count("worker-violated-protocol") == 1
    app.twin()


@pytest.mark.case("W07")
@pytest.mark.parametrize("greeting", [
    frame_hex(8, HELLO, 0, 0, 0, payload=struct.pack("<HHI", 2, 0, 262144)),
    frame_hex(8, HELLO, 0, 0, 0, payload=struct.pack("<HHI", 1, 0, 0)),
    frame_hex(8, HELLO, 0, 0, 0, payload=struct.pack("<HHI", 1, 0, 1 << 25)),
    frame_hex(0, START, 0, 0, 1),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".hex(),
], ids=["version", "no-window", "window", "no-greeting", "other-protocol"])
def test_a_greeting_of_another_version_is_refused(case, evil, greeting):
    app = evil.take()
    case.control(app.twin())
    expect_greeting_refused(app, bytes.fromhex(greeting))
    case.walls("RH-PROTOCOL before any request")


@pytest.mark.case("W22")
@pytest.mark.parametrize("greeting", [
    frame_hex(8, HELLO, 0, 0, 0, payload=struct.pack("<HHI", 1, 7, 262144)),
    frame_hex(8, HELLO, 0, 0, 7, payload=struct.pack("<HHI", 1, 0, 262144)),
    frame_hex(24, HELLO, 0, 0, 0, payload=struct.pack("<HHIQQ", 1, 0, 262144, 1, 1)),
], ids=["app-in-reserved", "app-in-stream", "app-and-token-after"])
def test_a_greeting_cannot_claim_who_it_is(case, evil, greeting):
    app = evil.take()
    case.control(app.twin())
    expect_greeting_refused(app, bytes.fromhex(greeting))
    case.walls("RH-PROTOCOL: a greeting has no identity")


@pytest.mark.case("W08")
@pytest.mark.parametrize("stream", ["0", "1000000", "0x7fffffff", "0xffffffff"])
def test_an_answer_on_a_stream_that_is_not_open_is_refused(case, evil, stream):
    app = evil.take()
    case.control(app.twin())
    rule = expect_refused(app, "frame", type=RESPONSE, stream=stream, payload="c80000000000")
    case.walls(f"502, RH-PROTOCOL ({rule})")


@pytest.mark.case("W08")
def test_a_second_answer_to_a_finished_request_reaches_nobody(case, evil):
    app = evil.take()
    case.control(app.twin())
    state = Deed(app)
    with Connection(app.host.port) as connection:
        app.send(connection, "finished")
        assert connection.read_response().body == b"well behaved"
        rule = state.expect_violation()
        # The next request on this connection gets its own answer.
        app.send(connection, "pid")
        assert connection.read_response().body.isdigit()
    case.walls(f"RH-PROTOCOL ({rule}), the next answer is right")


@pytest.mark.case("W08")
def test_an_answer_to_another_workers_stream_reaches_nobody(case, evil):
    victim, app = evil.take(), evil.take()
    case.control(app.twin())
    with Connection(victim.host.port) as connection:
        for _ in range(20):
            victim.twin()
        victim.send(connection, "begin", length=20)
        head = connection.read_head()
        # The victim's stream is open, and its number is beyond all of ours.
        forged = {RESPONSE: struct.pack("<HHH", 200, 0, 0), DATA: b"forged", END: struct.pack("<HH", 1, 0)}
        rules = {expect_refused(app if kind == RESPONSE else evil.take(), "frame", type=kind, payload=payload.hex(),
                                stream=head.header("X-Stream")) for kind, payload in forged.items()}
        assert victim.ask("complete", size=10).status == 200
        assert connection.take(20) == b"x" * 20
    case.walls(f"RH-PROTOCOL ({', '.join(rules)}), the other stream gets nothing")


@pytest.mark.case("W09")
@pytest.mark.parametrize("name", ["body before head", "end before head", "two heads", "two starts", "start after head",
                                  "end twice", "data after end", "head after end", "abort after end",
                                  "an abort of the gateway's", "no credit", "too much credit",
                                  "drain before what ran", "drain twice", "second greeting"])
def test_frames_out_of_their_order_are_refused(case, evil, name):
    app = evil.take()
    case.control(app.twin())
    state = Deed(app)
    with hostage(app), Connection(app.host.port) as connection:
        app.send(connection, "sequence", name=name)
        answer = None
        try:
            answer = connection.read_response()
        except CutResponse:
            pass
        # What was whole before the bad frame may have been sent; nothing that comes after it.
        whole = name.endswith(("twice", "after end")) and name != "drain twice"
        expected = {200} if whole else {502, None}
        assert (answer.status if answer else None) in expected, answer
        assert answer is None or answer.status == 502 or answer.body == b""
    case.walls(f"{name}: RH-PROTOCOL ({state.expect_violation()})")


@pytest.mark.case("W09")
def test_interleaved_answers_are_not_mixed(case, evil):
    app = evil.take()
    state = Deed(app)
    with Connection(app.host.port) as first, Connection(app.host.port) as second:
        app.send(first, "hold")
        wait_until(lambda: app.ask("held").body == b"1", 10, "the first request is held")
        app.send(second, "interleave")
        assert first.read_response().body == b"1" * 5000
        assert second.read_response().body == b"2" * 5000
    state.expect_unharmed()
    case.control("each in its own order: both are served")
    case.walls("each client gets its own bytes only")


@pytest.mark.case("W10")
def test_more_body_than_was_granted_is_refused(case, evil, gateway):
    app = evil.take()
    assert app.ask("sized", size=3 << 20).body == b"c" * (3 << 20)
    case.control("a body within its credit: 200, 3 MiB")
    state = Deed(app)
    with gateway.bounded_memory(4096), Connection(app.host.port) as connection:
        app.send(connection, "flood")
        assert connection.read_head().status == 200
        rule = state.expect_violation()  # the client has read nothing meanwhile
        with pytest.raises(CutResponse):
            list(connection.chunks())
    case.walls(f"cut, RH-PROTOCOL ({rule})")


@pytest.mark.case("W23")
def test_eight_writers_on_one_channel_harm_that_channel_only(case, evil):
    app = evil.take()
    case.control(app.twin())
    processes_before = len(processes.processes_of_uids([app.tenant.uid]))
    state = Deed(app)
    answer = app.ask("share")
    assert answer.status == 502
    rule = state.expect_violation()
    wait_until(lambda: len(processes.processes_of_uids([app.tenant.uid])) <= processes_before, 10,
               "the children are gone with their worker")
    case.walls(f"502, RH-PROTOCOL ({rule}), all nine processes ended")
