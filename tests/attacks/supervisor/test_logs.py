"""What an app writes to its log: bounded, marked as the app's, and nothing that the tenant owns is opened for it."""
import json
import os
import socket
import threading
import time

import processes
import pytest
from actors import SECONDS, Opened, add_attacker
from processes import wait_until
from rowhouse_host import SLOW

LAG_S = 1.0 if SLOW else 0.05  # that a flood may add to an answer of the supervisor's
ESCAPE = "\n2026-01-01T00:00:00.000Z supervisor: tenant b stopped\x1b]0;owned\x07\x9b31m\u202e\x00\x7f"


@pytest.fixture(scope="module")
def street(module_host, share):
    add_attacker(module_host, "acme")
    module_host.add_bystander()
    module_host.start("acme/site", "bystander/site")
    share(module_host)
    return module_host


@pytest.mark.case("S07")
def test_a_link_in_the_place_of_a_log_is_never_opened(case, street, acme, bare):
    tenant = street.tenants["acme"]
    target = street.directory / "cron.d-x"
    target.write_text("")
    tenant.put("logs/.keep", "")
    assert acme.ask("bad_sharing.link", target=str(target), path=str(tenant.home / "logs" / "app.log")) == "linked"
    with open(tenant.home / "logs" / "app.log", "ab") as followed:  # what a root that logs into homes does
        case.control(f"root writes into {os.path.basename(os.path.realpath(followed.name))}")
    stored = street.directory / "logs" / "apps" / "acme" / "site"
    with Opened(target) as opened, Opened(tenant.home / "logs") as visited:
        wait_until(lambda: acme.ask("bad_hunger.shout", seconds=0.5, line="y" * 150)
                   and len(list(stored.iterdir())) > 2, 30, "the log is rotated")
        case.walls(f"opened {opened.count()} times after {len(list(stored.iterdir()))} files of log")
        assert opened.count() == 0 and visited.count() == 0
    # And the place of the real one is not the tenant's.
    for path in (stored / "app.log", stored / "new"):
        assert bare.ask("bad_sharing.write", path=str(path)) == "EACCES"
    assert bare.ask("bad_sharing.remove", path=str(stored / "app.log")) == "EACCES"


@pytest.mark.case("S08")
@pytest.mark.parametrize("line", ["x" * 200, "x" * (1 << 20)], ids=["many lines", "one line without an end"])
def test_a_flood_of_output_is_dropped_and_counted_and_the_supervisor_stays_quick(case, street, acme, bare, line):
    path = street.tenants["acme"].home / "flood"
    written = bare.ask("bad_flood.shout_into", path=str(path), seconds=0.5)
    path.unlink()
    case.control(f"{written / 0.5 / (1 << 20):.0f} MiB/s are stored", held=written < 8 << 20)
    quiet = middle_of([answer_seconds(street) for _ in range(20)])
    before = stored_bytes(street)
    action = "bad_hunger.shout" if len(line) < 1000 else "bad_flood.shout_one_line"
    arguments = {"line": line} if len(line) < 1000 else {}
    told = {}
    flood = threading.Thread(target=lambda: told.update(written=acme.ask(action, seconds=SECONDS, patience=60 + SECONDS,
                                                                         **arguments)))
    flood.start()
    took = []
    while flood.is_alive():
        took.append(answer_seconds(street))
        time.sleep(0.02)
    flood.join()
    grown = stored_bytes(street) - before
    middle = middle_of(took)
    case.walls(f"{told['written'] >> 20} MiB written, {grown >> 10} KiB stored, the supervisor answers after "
               f"{middle * 1000:.0f} ms (was {quiet * 1000:.0f})")
    assert told["written"] > 1 << 20 and grown < (16 << 20) + SECONDS * (4 << 20)
    assert middle - quiet < LAG_S
    # The rest of a line that never ended is counted when the next one begins.
    acme.ask("bad_hunger.whisper", line="")
    wait_until(lambda: "bytes dropped" in street.cli("logs", "-n", 10000, "acme/site").out, 10, "the loss is told")


def answer_seconds(street):
    """How long the control socket takes for a status, which the supervisor is asked for."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(street.socket_path))
        began = time.monotonic()
        client.sendall(b"GET /v1/status HTTP/1.1\r\nHost: rowhouse\r\nConnection: close\r\n\r\n")
        answer = client.recv(1 << 16)
        took = time.monotonic() - began
        assert answer.startswith(b"HTTP/1.1 200"), answer
        while client.recv(1 << 16):
            pass
    return took


def middle_of(seconds):
    return sorted(seconds)[len(seconds) // 2]


def stored_bytes(street):
    return sum(path.stat().st_size for path in (street.directory / "logs").rglob("*") if path.is_file())


@pytest.mark.case("S09")
def test_a_forged_line_is_stored_as_the_apps_own_and_drives_no_terminal(case, street, acme, bare):
    mark = f"mark {os.getpid()}"
    path = street.tenants["acme"].home / "forged"
    bare.ask("bad_sharing.write", path=str(path), text=mark + ESCAPE)
    case.control(f"raw escape: {chr(27) in path.read_text()}, own line: {path.read_text().splitlines()[1][:40]}")
    acme.ask("bad_hunger.whisper", line=mark + ESCAPE)
    shown = wait_until(lambda: [a for a in [street.cli("logs", "acme/site")] if "tenant b stopped" in a.out], 10,
                       "the line is stored")[0].out
    [forged] = [line for line in shown.splitlines() if "tenant b stopped" in line]
    case.walls(forged)
    for text in ("\x1b", "\x07", "\x9b", "\u202e", "\0", "\x7f"):
        assert text not in shown
    assert "worker[" in forged and " stderr " in forged and r"\x1b]0;owned\x07" in forged
    lines = [json.loads(line) for line in street.cli("logs", "acme/site", "--json").out.splitlines()]
    [record] = [line for line in lines if "tenant b stopped" in line["text"]]
    assert record["stream"] == "stderr"
    stored = (street.directory / "logs" / "apps" / "acme" / "site" / "app.log").read_bytes()
    assert b"\x1b" not in stored and not [line for line in stored.splitlines() if line.startswith(b"2026-01-01")]
    assert processes.uids_of(acme.pid) == [acme.tenant.uid] * 4
