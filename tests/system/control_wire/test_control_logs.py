"""Logs: what strangers write arrives whole, escaped, within its budget, and in files of bounded size."""
import json
import os
import re
import select
import threading
import time

import pytest
from control_driver import ACME_UID, EXIT, SIGNAL, App, access_record, connect_as, wait_until

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (worker|steward)\[(\d+)\.(\d+)\] (stderr|rowhouse:) (.*)")


def lines(control, app):
    return [LINE.fullmatch(line) for line in control.log_text(app).splitlines()]


def texts(control, app):
    return [match[6] for match in lines(control, app)]


@pytest.fixture
def pipe(control, site):
    writing = control.log_pipe(site, generation=3, worker=2)
    yield writing
    os.close(writing)


def test_each_line_is_stored_with_its_time_and_its_worker(control, site, pipe):
    os.write(pipe, b"first\nsecond\r\nhalf")
    wait_until(lambda: len(lines(control, site)) == 2, "two lines")
    assert [(m[2], m[3], m[4], m[5], m[6]) for m in lines(control, site)] == [
        ("worker", "3", "2", "stderr", "first"), ("worker", "3", "2", "stderr", "second")]
    os.write(pipe, b" a line\n")
    wait_until(lambda: texts(control, site)[-1:] == ["half a line"], "the third")


def test_the_steward_is_named(control, site):
    steward = control.log_pipe(site, generation=3, worker=0)
    os.write(steward, b"hello\n")
    os.close(steward)
    wait_until(lambda: "steward[3.0] stderr hello" in control.log_text(site), "the line")


HOSTILE = (b"\x1b]0;title\x07 \x9b31m \x7f \x00 \r2026-01-01T00:00:00.000Z worker[3.2] rowhouse: forged "
           b"\xe2\x80\xaeabc \xff \\x1b")


def test_no_byte_of_a_line_can_forge_another_or_drive_a_terminal(control, site, pipe):
    os.write(pipe, HOSTILE + b"\n\nafter\n")
    wait_until(lambda: len(lines(control, site)) == 3, "three lines")
    stored = texts(control, site)[0]
    assert all(" " <= c <= "~" for c in stored)
    assert stored.startswith("\\x1b]0;title\\x07 \\x9b31m \\x7f \\x00 \\x0d2026")
    assert texts(control, site)[1:] == ["", "after"]
    assert {m[5] for m in lines(control, site)} == {"stderr"}


def test_the_raw_form_gives_back_the_bytes_and_the_safe_form_never_does(control, site, pipe):
    import subprocess
    from rowhouse_host import BUILD
    os.write(pipe, HOSTILE + b"\n")
    wait_until(lambda: control.log_text(site), "the line")
    command = [BUILD / "rowhouse", "--socket", control.socket_path, "logs", "acme/site"]
    raw = subprocess.run([*command, "--raw"], capture_output=True, timeout=30, check=True).stdout
    assert raw == HOSTILE + b"\n"
    safe = subprocess.run(command, capture_output=True, timeout=30, check=True).stdout
    assert all(b == 10 or 32 <= b < 127 for b in safe)


def test_text_of_all_scripts_stays_readable(control, site, pipe):
    os.write(pipe, "Grüße, мир, 世界 🎉\ttab\n".encode())
    wait_until(lambda: texts(control, site) == ["Grüße, мир, 世界 🎉\ttab"], "the line")


def test_an_endless_line_is_cut_and_the_rest_is_counted(control, site, pipe):
    for _ in range(20):
        os.write(pipe, b"y" * 5000)
    os.write(pipe, b"\nnext\n")
    wait_until(lambda: "next" in texts(control, site), "the next line")
    cut = texts(control, site)[0]
    assert cut == "y" * 16384 + " [line cut]"
    assert any(text.startswith(f"{100_000 - 16384} bytes dropped") for text in texts(control, site))


def test_a_flood_is_held_to_its_budget_and_the_neighbour_is_heard_at_once(control, site, shop, pipe):
    quiet = control.log_pipe(shop)
    stop = threading.Event()
    written = [0]

    def flood():
        os.set_blocking(pipe, False)
        while not stop.is_set():
            try:
                written[0] += os.write(pipe, b"flood " * 1000 + b"\n")
            except BlockingIOError:
                select.select([], [pipe], [], 0.1)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_until(lambda: "bytes dropped" in control.log_text(site), "drops are told", 20)
        for number in range(5):
            begun = time.monotonic()
            os.write(quiet, b"quiet %d\n" % number)
            wait_until(lambda: f"quiet {number}" in control.log_text(shop), "the neighbour's line")
            assert time.monotonic() - begun < 1
            assert control.ask("GET", "/v1/status").status == 200
            assert time.monotonic() - begun < 1
    finally:
        stop.set()
        thread.join()
        os.close(quiet)
    stored = sum(path.stat().st_size for path in (control.logs / "acme/site").iterdir())
    assert stored < written[0]


def test_files_rotate_by_size_and_old_ones_go(control, site, pipe):
    directory = control.logs / "acme/site"
    os.write(pipe, b"begin\n")
    wait_until(lambda: control.log_text(site), "the file")
    control.wait_files_closed()
    # What earlier runs left, so that a few lines are enough to rotate.
    for number in range(1, 6):
        (directory / f"app.log.{number}").write_text(f"old {number}\n")
    with open(directory / "app.log", "ab") as log:
        log.truncate(10 * 1024 * 1024 - 10)
    os.write(pipe, b"after\n")
    wait_until(lambda: "after" in (directory / "app.log").read_text()[:1000], "a new file")
    assert sorted(p.name for p in directory.iterdir()) == ["app.log"] + [f"app.log.{n}" for n in range(1, 6)]
    assert (directory / "app.log.1").stat().st_size == 10 * 1024 * 1024 - 10
    assert [(directory / f"app.log.{n}").read_text() for n in range(2, 6)] == [f"old {n}\n" for n in range(1, 5)]


def test_the_last_lines_are_read_across_rotated_files(control, site, pipe):
    os.write(pipe, b"newest\n")
    wait_until(lambda: control.log_text(site), "the file")
    old = "2026-01-01T00:00:00.000Z worker[1.1] stderr line {}\n"
    (control.logs / "acme/site/app.log.1").write_text("".join(old.format(n) for n in range(10)))
    found = control.log_lines(site, lines=3)
    assert [line["text"] for line in found] == ["line 8", "line 9", "newest"]
    assert found[0] == {"at": "2026-01-01T00:00:00.000Z", "stream": "stderr", "generation": 1, "worker": 1,
                        "text": "line 8"}
    assert control.log_lines(site, lines=0) == []


def test_a_link_in_place_of_a_log_is_never_followed(control, site, tmp_path_factory):
    victim = tmp_path_factory.mktemp("victim") / "victim"
    victim.write_text("untouched")
    victim.chmod(0o666)
    victim.parent.chmod(0o777)
    (control.logs / "acme/site").mkdir(parents=True)
    (control.logs / "acme/site/app.log").symlink_to(victim)
    for path in (control.logs / "acme", control.logs / "acme/site"):
        os.chown(path, 61991, 61991)
    pipe = control.log_pipe(site)
    os.write(pipe, b"through the link\n")
    wait_until(lambda: "log_write_failed" in control.stderr, "the refusal")
    assert victim.read_text() == "untouched"
    # The API still shows what is in memory.
    assert [line["text"] for line in control.log_lines(site)] == ["through the link"]
    (control.logs / "acme/site/app.log").unlink()
    wait_until(lambda: os.write(pipe, b"after\n") and "after" in control.log_text(site), "writing works again")
    wait_until(lambda: "bytes of log lost" in control.log_text(site), "the loss is told")
    os.close(pipe)


def test_a_full_disk_loses_lines_and_nothing_else(control, site, pipe):
    import subprocess
    disk = control.logs / "acme"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,uid=61991,gid=61991", "tmpfs", disk], check=True)
    try:
        for number in range(60):
            os.write(pipe, b"%04d " % number + b"z" * 3000 + b"\n")
        wait_until(lambda: "log_write_failed" in control.stderr, "the failure")
        assert control.ask("GET", "/v1/status").status == 200
        stored = control.log_text(site)
        assert stored.endswith("\n") and all(LINE.fullmatch(line) for line in stored.splitlines())
        (disk / "site/app.log").write_bytes(b"")
        wait_until(lambda: os.write(pipe, b"room again\n") and "room again" in control.log_text(site), "room again")
        wait_until(lambda: "bytes of log lost" in control.log_text(site), "the loss is told")
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_deaths_and_steps_are_in_the_log_and_cannot_be_forged(control, site, pipe):
    os.write(pipe, b"rowhouse: worker 2 died: RH-OOM\n")
    control.notice(site, 0, generation=3)
    control.notice(site, 4, generation=3, number=400)
    control.death(site, SIGNAL, 9, generation=3, worker=2)
    control.death(site, EXIT, 1, generation=3, worker=4)
    wait_until(lambda: len(lines(control, site)) == 5, lambda: control.log_text(site))
    told = {m[6] for m in lines(control, site) if m[5] == "rowhouse:"}
    assert told == {"generation 3 is starting", "next start in 400 ms", "worker 2 died: RH-SIGNAL SIGKILL",
                    "worker 4 died: RH-EXIT 1"}
    out = control.cli("logs", "acme/site").stdout
    assert "worker[3.2] rowhouse: worker 2 died: RH-SIGNAL SIGKILL" in out
    assert "worker[3.2] stderr rowhouse: worker 2 died: RH-OOM" in out


def test_following_shows_the_last_lines_and_then_each_new_one(control, site, shop, pipe):
    os.write(pipe, b"old 1\nold 2\n")
    wait_until(lambda: len(lines(control, site)) == 2, "the old lines")
    client = connect_as(control.socket_path, ACME_UID)
    client.settimeout(10)
    client.sendall(b"GET /v1/apps/acme/site/logs?lines=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    stream = client.makefile("rb")
    while stream.readline() != b"\r\n":
        pass

    def next_text():
        size = int(stream.readline(), 16)
        chunk = stream.read(size + 2)
        return [json.loads(line)["text"] for line in chunk.splitlines() if line]

    assert next_text() == ["old 2"]
    other = control.log_pipe(shop)
    os.write(other, b"not mine\n")
    os.close(other)
    os.write(pipe, b"new\n")
    begun = time.monotonic()
    assert next_text() == ["new"]
    assert time.monotonic() - begun < 1
    control.settle()
    before = control.descriptors()
    stream.close()
    client.close()
    wait_until(lambda: control.descriptors() < before, "the connection is gone")


def test_a_follower_that_does_not_read_loses_lines_and_holds_nobody(control, site, pipe):
    client = connect_as(control.socket_path, ACME_UID)
    client.sendall(b"GET /v1/apps/acme/site/logs?lines=0&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    client.recv(1)
    for _ in range(400):
        os.write(pipe, b"w" * 4000 + b"\n")
    wait_until(lambda: control.log_text(site).count("\n") == 400, "all lines are stored")
    assert control.ask("GET", "/v1/status").status == 200
    client.settimeout(5)
    got = b""
    while b"lines left out" not in got:
        piece = client.recv(1 << 20)
        got += piece
        os.write(pipe, b"more\n")
        assert len(got) < 1_000_000
    client.close()


def test_access_records_become_combined_lines_that_no_request_can_forge(control, site):
    control.notice(site, 1)
    gateway = control.access_socket()
    gateway.send(access_record(site.number))
    gateway.send(access_record(site.number, target=b"/\x0a\"x\\", agent=b"a\" b\r\n\x1b[2J\xff", status=502, cause=70,
                               error_id=0xAB, aborted=1, request_id=b"", referer=b"http://x/ y"))
    wait_until(lambda: control.log_text(site, "access.log").count("\n") == 2, "two lines")
    first, second = control.log_text(site, "access.log").splitlines()
    assert first == ('192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b=c HTTP/1.1" 200 512 "-" "curl/8"'
                     ' host=acme.example rt=0.012300 gateway=0.000050 queue=0.000200 app=0.011900 in=3 cause=- id=r1'
                     ' error=-')
    assert '"GET /\\x0a\\x22x\\x5c HTTP/1.1" 502 512 "http://x/ y" "a\\x22 b\\x0d\\x0a\\x1b[2J\\xff"' in second
    assert second.endswith("cause=RH-WORKER-GONE id=- error=00000000000000ab aborted")
    shown = control.log_lines(site, stream="access")
    assert shown[0] == {"at": "2023-11-14T22:13:20.000Z", "stream": "access", "text": first}
    assert control.cli("logs", "acme/site", "--access").stdout.splitlines() == [first, second]
    gateway.close()


def test_access_records_of_an_app_that_wants_json_become_objects_that_no_request_can_forge(control, site):
    control.notice(site, 1)
    gateway = control.access_socket()
    gateway.send(access_record(site.number))
    gateway.send(access_record(site.number, format=1))
    hostile = bytes(range(256))
    gateway.send(access_record(site.number, format=1, target=b'/x","status":1', agent=hostile, status=502, cause=70,
                               error_id=0xAB, aborted=1, request_id=b""))
    wait_until(lambda: control.log_text(site, "access.log").count("\n") == 3, "three lines")
    stored = control.log_text(site, "access.log").splitlines()
    assert stored[0].startswith("192.0.2.1 - - ")
    assert json.loads(stored[1]) == {
        "time": "2023-11-14T22:13:20.123Z", "id": "r1", "address": "192.0.2.1", "method": "GET", "host": "acme.example",
        "path": "/a", "query": "b=c", "protocol": "HTTP/1.1", "status": 200, "request_bytes": 3, "response_bytes": 512,
        "total_us": 12300, "gateway_us": 50, "queue_us": 200, "app_us": 11900, "write_us": 150, "worker_cpu_us": 9000, "worker_gil_wait_us": None, "cause": None,
        "error_id": None, "user_agent": "curl/8", "referer": None, "aborted": False}
    forged = json.loads(stored[2])
    assert forged["status"] == 502 and forged["path"] == '/x","status":1'
    assert forged["user_agent"].encode("latin-1") == hostile and stored[2].isascii() and stored[2].isprintable()
    shown = control.log_lines(site, stream="access")
    assert [line["text"] for line in shown] == stored
    assert [line["at"] for line in shown] == ["2023-11-14T22:13:20.000Z"] + ["2023-11-14T22:13:20.123Z"] * 2
    assert control.cli("logs", "acme/site", "--access").stdout.splitlines() == stored
    assert json.loads(control.cli("logs", "acme/site", "--access", "--raw").stdout.splitlines()[1])["status"] == 200
    gateway.close()


def test_requests_without_an_app_and_lost_records_are_in_the_gateways_log(control, site):
    gateway = control.access_socket(gateway=2)
    gateway.send(access_record(0, status=421, cause=68))
    gateway.send(access_record(999, dropped=7))
    gateway.send(b"not a record")
    path = control.logs / "_gateway/access.log"
    wait_until(lambda: path.exists() and path.read_text().count("\n") == 3, "three lines")
    assert "RH-NO-HOST" in path.read_text()
    assert "# gateway 2: 7 records lost" in path.read_text()
    assert "access_record_refused" in control.stderr
    gateway.close()


def test_ten_thousand_records_arrive(control, site):
    control.notice(site, 1)
    gateway = control.access_socket()
    for number in range(10_000):
        gateway.send(access_record(site.number, target=b"/%d" % number))
    wait_until(lambda: control.log_text(site, "access.log").count("\n") == 10_000, "all lines", 20)
    gateway.close()


def test_pipes_that_close_leave_no_descriptor_and_their_last_words(control, site):
    control.settle()
    control.wait_files_closed()
    before = control.descriptors()
    for worker in range(1, 101):
        pipe = control.log_pipe(site, worker=worker)
        os.write(pipe, b"last words of %d" % worker)
        os.close(pipe)
    wait_until(lambda: control.log_text(site).count("last words") == 100, "all last words")
    wait_until(lambda: control.descriptors() <= before, "descriptors are closed")


def test_the_last_bytes_are_read_when_the_supervisor_ends(control, site, pipe):
    os.write(pipe, b"the very last")
    control.end()
    assert texts(control, site) == ["the very last"]


def test_apps_that_come_and_go_cannot_fill_the_disk_with_directories(control):
    for number in range(1, 151):
        app = App(number, "acme", f"a{number}")
        pipe = control.log_pipe(app)
        os.write(pipe, b"x\n")
        os.close(pipe)
        wait_until(lambda: control.log_text(app), "its log")
    assert len(list((control.logs / "acme").iterdir())) == 128
    assert (control.logs / "acme/a150/app.log").exists()
