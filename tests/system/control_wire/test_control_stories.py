"""Stories, errors and events: acknowledged when stored, joined with what gateways say, shown to whom they belong."""
import json
import os
import struct

import pytest
from control_driver import ACME_UID, EXIT, GLOBEX_UID, IMPORT, SIGNAL, Client, access_record, wait_until

BASE_MS = 1_700_000_000_000


def text(value):
    return struct.pack("<H", len(value)) + value.encode()


def running(app, generation=1, worker=1, phase=1, gone=0, path="/pay", identity="r1"):
    return (struct.pack("<HIIIBBqI", 2, app.number, generation, worker, phase, gone, BASE_MS, 1500)
            + text("POST") + text(path) + text("acme.example") + text(identity))


def failed(app_number, error_id, status=502, cause=70, target="/pay?card=1", identity="r1"):
    return access_record(app_number, error_id=error_id, status=status, cause=cause, at_ms=BASE_MS, method=b"POST",
                         target=target.encode(), request_id=identity.encode())


def explain(control, app="acme/site", uid=0):
    answer = control.ask("GET", f"/v1/apps/{app}/explain", uid=uid)
    assert answer.status == 200, answer.body
    return answer.json


def test_a_death_is_acknowledged_and_told_with_its_request_and_its_last_lines(control, site):
    pipe, records = control.log_pipe(site, worker=5), control.access_socket()
    control.settle()
    records.send(running(site, worker=5))
    os.write(pipe, b"one\ntwo\n")
    control.death(site, SIGNAL, 11, worker=5, process=(4242, 340, 1))
    wait_until(lambda: control.stored == [(17, 1, 5, 1_700_000_000_123)], "the acknowledgement")
    wait_until(lambda: explain(control)["deaths"][0]["requests"], "the request")
    [death] = explain(control)["deaths"]
    assert (death["code"], death["detail"], death["worker"], death["pid"]) == ("RH-SIGNAL", "SIGSEGV", 5, 4242)
    assert death["stderr"] == ["one", "two"] and death["was_ready"] is True and death["age_ms"] == 340
    assert death["requests"] == [{"method": "POST", "path": "/pay", "host": "acme.example", "id": "r1",
                                  "at": "2023-11-14T22:13:20.000Z", "running_ms": 1500, "phase": "started",
                                  "client_gone": False}]
    os.close(pipe)
    records.close()


def test_a_repeated_death_is_acknowledged_again_and_told_once(control, site):
    for _ in range(3):
        control.death(site, EXIT, 3)
    control.settle()
    wait_until(lambda: control.stored, "an acknowledgement")
    control.death(site, EXIT, 3)
    wait_until(lambda: len(control.stored) == 2, "the next one")
    assert len(explain(control)["deaths"]) == 1
    assert control.log_text(site).count("died: RH-EXIT") == 1
    assert [e["type"] for e in control.ask("GET", "/v1/events").json["events"]].count("died") == 1


def test_a_failed_start_names_step_exception_and_place(control, site):
    pipe = control.log_pipe(site, worker=5)
    control.settle()
    os.write(pipe, b'Traceback (most recent call last):\n  File "/home/acme/app.py", line 3, in <module>\n'
                   b"    import flask\nModuleNotFoundError: No module named 'flask'\n")
    control.death(site, IMPORT, 5, worker=5)
    control.settle()
    death = explain(control)["deaths"][0]
    assert death["step"] == "import module" and death["where"] == "/home/acme/app.py line 3"
    assert death["exception"] == "ModuleNotFoundError: No module named 'flask'"
    assert "virtualenv" in death["fix"]
    os.close(pipe)


def test_an_error_id_is_explained_to_its_tenant_and_to_admins_and_to_nobody_else(control, site, shop):
    pipe, records = control.log_pipe(site, worker=5), control.access_socket()
    control.settle()
    records.send(running(site, worker=5))
    control.death(site, SIGNAL, 9, worker=5)
    records.send(failed(site.number, 0xABC))
    records.send(failed(0, 0xDEF, 421, 68))
    wait_until(lambda: control.ask("GET", "/v1/errors/0000000000000def").status == 200, "the second error")
    for uid in (0, ACME_UID):
        answer = control.ask("GET", "/v1/errors/0000000000000abc", uid=uid)
        assert answer.status == 200, answer.body
        assert answer.json["error"]["code"] == "RH-WORKER-GONE" and answer.json["error"]["app"] == "site"
        assert answer.json["error"]["request"]["path"] == "/pay"
        assert answer.json["death"]["code"] == "RH-SIGNAL"
    foreign = control.ask("GET", "/v1/errors/0000000000000abc", uid=GLOBEX_UID)
    absent = control.ask("GET", "/v1/errors/0000000000000abd", uid=GLOBEX_UID)
    assert foreign.status == absent.status == 404
    assert foreign.body.replace(b"abc", b"abd") == absent.body
    assert control.ask("GET", "/v1/errors/0000000000000def", uid=ACME_UID).status == 404
    assert control.ask("GET", "/v1/errors/../../etc", uid=ACME_UID).status == 404
    assert control.cli("explain", "0000000000000abc", uid=GLOBEX_UID).returncode == 3
    assert "RH-SIGNAL SIGKILL" in control.cli("explain", "0000000000000abc", uid=ACME_UID).stdout
    os.close(pipe)
    records.close()


def test_events_come_in_pages_and_each_caller_gets_its_own(control, site, shop):
    for number in range(3):
        control.notice(site, 0, generation=number + 1)
        control.notice(shop, 0, generation=number + 1)
    control.host_death(0, 1, SIGNAL, 9)
    control.settle()
    seen, since = [], 0
    while True:
        page = control.ask("GET", f"/v1/events?since={since}&limit=2").json
        if not page["events"]:
            break
        seen += page["events"]
        since = page["next"]
    assert [e["type"] for e in seen] == ["starting"] * 6 + ["gateway_died"]
    assert [e["id"] for e in seen] == sorted(e["id"] for e in seen)
    assert (0, 0, 1, 1_700_000_000_123) in control.stored
    own = control.ask("GET", "/v1/events", uid=ACME_UID).json["events"]
    assert {e["tenant"] for e in own} == {"acme"} and len(own) == 3
    assert len(control.ask("GET", "/v1/events?last=1", uid=ACME_UID).json["events"]) == 1
    assert control.ask("GET", "/v1/events?tenant=globex", uid=ACME_UID).status == 404


@pytest.mark.parametrize("query", ["since=x", "limit=0", "limit=1001", "last=1&since=1", "app=site", "follow=2", "what=1"])
def test_events_refuse_what_they_do_not_know(control, query):
    assert control.ask("GET", f"/v1/events?{query}").status == 400


def test_followed_events_are_server_sent_and_go_on_after_the_number(control, site):
    control.notice(site, 0)
    control.settle()
    client = Client(control.socket_path, ACME_UID)
    client.request("GET", "/v1/events?follow=1&since=0")
    response = client.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    control.notice(site, 1)

    def next_event():
        fields = {}
        while line := response.readline().decode().rstrip("\n"):
            key, _, value = line.partition(": ")
            fields[key] = value
        return fields

    assert "" in next_event()  # a comment
    first, second = next_event(), next_event()
    assert (first["event"], second["event"]) == ("starting", "ready")
    assert int(second["id"]) > int(first["id"]) and json.loads(second["data"])["app"] == "site"
    client.close()


def test_a_hostile_line_and_path_are_escaped_in_the_story(control, site):
    pipe, records = control.log_pipe(site, worker=5), control.access_socket()
    control.settle()
    os.write(pipe, b"\x1b]0;owned\x07\n")
    records.send(running(site, worker=5, path="/\x1b[2J"))
    control.death(site, SIGNAL, 9, worker=5)
    wait_until(lambda: explain(control)["deaths"] and explain(control)["deaths"][0]["requests"], "the story")
    assert explain(control)["deaths"][0]["stderr"] == ["\\x1b]0;owned\\x07"]
    shown = control.cli("explain", "acme/site", uid=ACME_UID).stdout
    assert "\x1b" not in shown and "\\x1b[2J" in shown
    os.close(pipe)
    records.close()
