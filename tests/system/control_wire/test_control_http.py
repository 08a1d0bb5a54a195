"""The API as HTTP: strictness, caps, deadlines, and what a client cannot make grow."""
import os
import re
import time

import pytest
from control_driver import (ACME_UID, BUSY, CONFLICT, FAILED, GLOBEX_UID, IMPORT, NOT_FOUND, STRANGER_UID, TENANT_GONE,
                            connect_as, wait_until)
from rowhouse_host import SANITIZED


def raw(control, data, uid=0):
    client = connect_as(control.socket_path, uid)
    client.settimeout(10)
    client.sendall(data)
    received = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            break
        if not piece:
            break
        received += piece
        if re.match(rb"HTTP/1.1 (400|4\d\d|503)", received) and received.endswith(b"}}\n"):
            break
    client.close()
    return received


def test_info_tells_version_role_and_features(control):
    info = control.ask("GET", "/v1/info").json
    assert info["api"] == 1 and re.fullmatch(r"\d+\.\d+\.\d+", info["version"]) and "restart" in info["features"]
    assert info["role"] == "admin"
    assert control.ask("GET", "/v1/info", uid=ACME_UID).json["role"] == "tenant"


@pytest.mark.parametrize("command, kind", [("start", 0), ("stop", 1), ("restart", 2)])
def test_a_command_waits_for_its_outcome(control, site, command, kind):
    control.on_command = lambda app, k: (time.sleep(0.2), (0, 7, 0, 0, 0))[1]
    answer = control.ask("POST", f"/v1/apps/acme/site/{command}", body="{}")
    assert answer.status == 200 and answer.json == {"outcome": "done", "generation": 7}
    assert control.commands == [(17, kind)]


@pytest.mark.parametrize("outcome, status, code", [(NOT_FOUND, 404, "not_found"), (BUSY, 409, "busy"),
                                                   (CONFLICT, 409, "conflict"), (FAILED, 422, "failed")])
def test_a_command_that_does_not_succeed_says_so(control, site, outcome, status, code):
    control.on_command = lambda app, kind: (outcome, 3, 9, IMPORT if outcome == FAILED else 0, 6)
    answer = control.ask("POST", "/v1/apps/acme/site/restart")
    assert answer.status == status and answer.error["code"] == code and answer.error["message"]
    if outcome == FAILED:
        assert answer.error["detail"] == "RH-IMPORT find callable"


def test_a_failed_start_carries_the_last_line_of_its_worker(control, site):
    pipe = control.log_pipe(site, generation=3, worker=9)

    def fail(app, kind):
        os.write(pipe, b"rowhouse: cannot import module 'x': ValueError: bad\n")
        return FAILED, 3, 9, IMPORT, 5

    control.on_command = fail
    error = control.ask("POST", "/v1/apps/acme/site/restart").error
    assert error["detail"] == "RH-IMPORT import module: rowhouse: cannot import module 'x': ValueError: bad"
    os.close(pipe)


def test_head_has_the_fields_of_get_and_no_body(control, site):
    get, head = control.ask("GET", "/v1/status"), control.ask("HEAD", "/v1/status")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == get.headers["Content-Length"]
    assert control.ask("HEAD", "/v1/apps/acme/site/logs?follow=1").status == 200


@pytest.mark.parametrize("method, target, allow", [
    ("POST", "/v1/status", "GET, HEAD"), ("DELETE", "/v1/info", "GET, HEAD"),
    ("PUT", "/v1/apps/acme/site/logs", "GET, HEAD"),
    ("GET", "/v1/apps/acme/site/restart", "POST"), ("HEAD", "/v1/apps/acme/site/stop", "POST")])
def test_a_wrong_method_is_405_and_names_the_right_ones(control, site, method, target, allow):
    answer = control.ask(method, target)
    assert answer.status == 405 and answer.headers["Allow"] == allow
    assert control.commands == []


@pytest.mark.parametrize("body, pointer, word", [
    ('{"a":1,"a":2}', "/a", "twice"), ('{"x":{"a":1,"a":2}}', "/x/a", "twice"), ("{} x", None, "not valid"),
    ('{"mode":"rolling"}', "/mode", "unknown field"), ('{"a/b":1}', "/a~1b", "unknown field"), ("[]", None, "object"),
    ("[" * 17 + "]" * 17, "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0", "deep"), ("\ufeff{}", None, "byte order"),
    ('{"a":"\\u0000"}', "/a", "U+0000"), ('{"a":1e400}', "/a", "range"), ('{"a":NaN}', "/a", "not valid"),
    ('{"a":"\\ud800"}', "/a", "not valid"), ("nul", None, "not valid"), ("{", None, "not valid"),
    ("[" * 60000, None, "deep")],
    ids=["duplicate", "inner-duplicate", "garbage", "unknown", "escaped-pointer", "array", "deep", "bom", "nul",
         "huge-number", "nan", "surrogate", "word", "open", "bomb"])
def test_a_body_that_is_not_exactly_right_is_400_with_a_pointer(control, site, body, pointer, word):
    answer = control.ask("POST", "/v1/apps/acme/site/restart", body=body.encode())
    assert answer.status == 400 and word in answer.error["message"], answer.body
    if pointer:
        assert answer.error["pointer"] == pointer
    assert control.commands == []


@pytest.mark.parametrize("target", ["/v1/status?x=1", "/v1/status?app=site", "/v1/status?tenant=acme&tenant=acme",
                                    "/v1//status", "/v1/%zz", "/v1/%00", "/v1/apps/acme/site/logs?lines=-1",
                                    "/v1/apps/acme/site/logs?lines=10001", "/v1/apps/acme/site/logs?lines=1e1",
                                    "/v1/apps/acme/site/logs?stream=x", "/v1/apps/acme/site/logs?follow=2"])
def test_a_target_that_is_not_exactly_right_is_400(control, site, target):
    answer = control.ask("GET", target)
    assert answer.status == 400 and answer.error["code"] == "bad_request"


@pytest.mark.parametrize("data, status", [
    (b"GARBAGE\r\n\r\n", 400), (b"GET /v1/info HTTP/1.1\r\n\r\n", 400),
    (b"GET /v1/info HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    (b"GET /v1/info HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400), (b"GET /v1/info HTTP/1.1\nHost: x\n\n", 400),
    (b"POST /v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET /v1/info HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    (b"POST /v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70000, 413),
    (b"POST /v1/info HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", 417),
    (b"GET http://x/v1/info HTTP/1.1\r\nHost: x\r\n\r\n", 400)],
    ids=["garbage", "no-host", "version", "two-hosts", "bare-lf", "two-framings", "long-field", "long-target",
         "long-body", "expect", "absolute"])
def test_what_is_not_strict_http_is_refused_as_json(control, data, status):
    answer = raw(control, data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert b'{"error":{"code":' in answer


def test_pipelined_requests_are_answered_in_order(control, site):
    one = b"GET /v1/info HTTP/1.1\r\nHost: x\r\n\r\n"
    two = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /v1/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw(control, one + two + one + last)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert statuses == [b"200", b"200", b"200", b"404"]
    assert answer.index(b'"api"') < answer.index(b'"apps"') < answer.rindex(b'"api"')


def test_a_connection_serves_many_requests(control, site):
    client = control.client()
    for _ in range(200):
        assert client.ask("GET", "/v1/status").status == 200
    client.close()


def test_chunked_bodies_are_read(control, site):
    head = (b"POST /v1/apps/acme/site/stop HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")
    assert raw(control, head + b"2\r\n{}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_one_uid_has_64_connections_and_admins_still_get_in(control, site):
    clients = [connect_as(control.socket_path, ACME_UID) for _ in range(64)]
    refused = connect_as(control.socket_path, ACME_UID)
    assert b" 503 " in refused.recv(4096)
    assert control.ask("GET", "/v1/info", uid=GLOBEX_UID).status == 200
    for uid in range(62010, 62013):
        control.add_tenant(f"t{uid}", uid)
        control.settle()
        clients += [connect_as(control.socket_path, uid) for _ in range(64)]
    # 224 of them hold a place, the last 32 are kept for admins.
    assert b" 503 " in connect_as(control.socket_path, GLOBEX_UID).recv(4096)
    assert control.ask("GET", "/v1/info").status == 200
    for client in clients:
        client.close()
    wait_until(lambda: control.ask("GET", "/v1/info", uid=ACME_UID).status == 200, "places are free again")


def test_a_client_that_goes_while_its_command_runs_leaves_nothing_behind(control, site):
    control.settle()
    control.ask("GET", "/v1/info")
    before = control.descriptors()
    control.silent = True
    for _ in range(20):
        client = connect_as(control.socket_path, 0)
        client.sendall(b"POST /v1/apps/acme/site/restart HTTP/1.1\r\nHost: x\r\n\r\n")
        client.close()
    wait_until(lambda: control.descriptors() <= before, "descriptors are closed")
    control.silent = False
    # Up to four of their questions are before the supervisor until their deadline, the others were never asked.
    client = control.client(timeout=30)
    assert client.ask("GET", "/v1/status").status in (200, 503)
    assert client.ask("GET", "/v1/status").status == 200
    assert control.commands == []
    client.close()


def test_a_request_that_never_ends_is_over_after_its_time(control):
    client = connect_as(control.socket_path, ACME_UID)
    client.settimeout(45)
    begun = time.monotonic()
    client.sendall(b"GET /v1/info HTTP/1.1\r\nHost: x\r\n")
    for _ in range(8):
        time.sleep(3)
        client.sendall(b"X: y\r\n")
    answer = client.recv(4096)
    assert b" 408 " in answer and 25 < time.monotonic() - begun < 40


def test_control_ends_with_its_supervisor_and_is_not_dumpable(control):
    status = open(f"/proc/{control.process.pid}/status", encoding="utf-8").read()
    assert "NoNewPrivs:\t1" in status
    # Files of a process that is not dumpable belong to root.
    assert os.stat(f"/proc/{control.process.pid}/maps").st_uid == 0


@pytest.fixture
def long_log(control, site):
    pipe = control.log_pipe(site)
    for _ in range(200):
        os.write(pipe, b"x" * 4000 + b"\n")
    wait_until(lambda: len(control.log_text(site)) > 800_000, "the log")
    yield
    os.close(pipe)


def test_answers_that_nobody_reads_are_bounded(control, site, long_log):
    greedy = []
    for _ in range(40):
        client = connect_as(control.socket_path, 0)
        client.sendall(b"GET /v1/apps/acme/site/logs?lines=10000 HTTP/1.1\r\nHost: x\r\n\r\n")
        greedy.append(client)
    wait_until(lambda: control.ask("GET", "/v1/apps/acme/site/logs?lines=10000").status == 503, "busy")
    assert control.ask("GET", "/v1/status", uid=GLOBEX_UID).status == 200
    if not SANITIZED:
        # 8 MiB of answers and the program; all forty would be twice as much.
        status = open(f"/proc/{control.process.pid}/status", encoding="utf-8").read()
        assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < 32 * 1024
    for client in greedy:
        client.close()


def test_a_tenant_that_asks_without_end_is_slowed_and_nobody_else(control, site, long_log):
    client = control.client(ACME_UID)
    statuses = [client.ask("GET", "/v1/status").status for _ in range(300)]
    assert statuses[:100] == [200] * 100 and statuses[-1] == 429
    client.close()
    assert control.ask("GET", "/v1/status", uid=GLOBEX_UID).status == 200
    admin = control.client()
    assert {admin.ask("GET", "/v1/status").status for _ in range(300)} == {200}
    admin.close()
    wait_until(lambda: control.ask("GET", "/v1/status", uid=ACME_UID).status == 200, "the budget fills again")


def test_reading_long_logs_costs_more_of_the_budget(control, site, long_log):
    client = control.client(ACME_UID)
    statuses = [client.ask("GET", "/v1/apps/acme/site/logs?lines=10000").status for _ in range(20)]
    assert statuses[:5] == [200] * 5 and 429 in statuses
    client.close()


def test_strangers_hold_few_places_and_are_sent_away(control, site):
    held = [connect_as(control.socket_path, 62100 + number) for number in range(16)]
    assert b" 503 " in connect_as(control.socket_path, STRANGER_UID).recv(4096)
    assert control.ask("GET", "/v1/status", uid=ACME_UID).status == 200
    held[0].sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while piece := held[0].recv(4096):
        answer += piece
    assert b" 403 " in answer and b"Connection: close" in answer
    for client in held:
        client.close()


def test_a_tenant_follows_only_so_many_logs(control, site):
    request = b"GET /v1/apps/acme/site/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n"
    clients = [connect_as(control.socket_path, ACME_UID) for _ in range(9)]
    answers = []
    for client in clients:
        client.sendall(request)
        answers.append(client.recv(12))
    assert answers == [b"HTTP/1.1 200"] * 8 + [b"HTTP/1.1 503"]
    for client in clients:
        client.close()


def test_a_follower_is_cut_off_when_its_tenant_has_gone(control, site):
    client = connect_as(control.socket_path, ACME_UID)
    client.settimeout(10)
    client.sendall(b"GET /v1/apps/acme/site/logs?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.recv(12) == b"HTTP/1.1 200"
    control.add_tenant("acme", TENANT_GONE)
    while client.recv(4096):
        pass
    client.close()
