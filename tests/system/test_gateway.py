"""The front door: routing, refusals with a cause, many connections, several gateways."""
import contextlib
import json
import os
import re
import resource
import signal
import threading
import time

import processes
import pytest
from http_client import Connection, get
from processes import wait_until
from rowhouse_host import SLOW

KEEP_ALIVE = 300 if SLOW else 1000
KEEP_ALIVE_S = 10 if SLOW else 30


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme", workers="{ min: 2, max: 2 }", threads="4")
    host.start("acme/site")
    return tenant


def refused(answer, status, cause):
    assert (answer.status, answer.cause) == (status, cause)
    assert answer.header("Rowhouse-Error")
    return answer


# --- routing --------------------------------------------------------------------------------------------------------
def test_an_unknown_host_is_421_and_a_known_one_without_a_route_404(host):
    host.add_probe("acme")
    host.set_probe(host.tenants["acme"], routes="[acme.test/app]")
    host.start("acme/site")
    refused(host.http("nobody.test"), 421, "RH-NO-HOST")
    refused(host.http("acme.test", "/elsewhere"), 404, "RH-NO-ROUTE")
    refused(host.http("acme.test", "/application"), 404, "RH-NO-ROUTE")
    assert host.http("acme.test", "/app/hello").text == "hello"


def test_the_longest_prefix_wins_and_script_name_tells_it(host):
    tenant = host.add_probe("acme")
    apps = "".join(f"  {name}: {{ routes: ['acme.test{prefix}'], wsgi: 'probe:application', directory: probe, "
                   f"env: {{ NAME: {name} }} }}\n" for name, prefix in (("top", ""), ("a", "/a"), ("ab", "/a/b")))
    tenant.manifest(f"apps:\n{apps}")
    host.start("acme/top", "acme/a", "acme/ab")
    for path, name, script, info in (("/environment", "top", "", "/environment"),
                                     ("/a/environment", "a", "/a", "/environment"),
                                     ("/a/b/environment", "ab", "/a/b", "/environment")):
        answer = json.loads(host.http("acme.test", path).text)
        assert answer["process"]["NAME"] == name
        assert (answer["wsgi"]["SCRIPT_NAME"], answer["wsgi"]["PATH_INFO"]) == (script, info)


def test_a_host_is_matched_without_regard_to_case_port_and_final_dot(host, acme):
    for name in ("ACME.test", f"acme.test:{host.port}", "acme.test."):
        assert host.http(name).status == 200, name


def test_a_wildcard_serves_names_below_it(host):
    host.add_probe("acme").domains[:] = ["acme.test", "*.acme.test"]
    tenant = host.tenants["acme"]
    host.register(tenant, f"uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: test\n"
                          "domains: [acme.test, '*.acme.test']\nmanifest: rowhouse.yaml\n")
    host.set_probe(tenant, routes="[acme.test, '*.acme.test']")
    host.start("acme/site")
    assert host.http("www.acme.test").status == 200
    assert host.http("notacme.test").status == 421


# --- refusals -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: acme.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    b"GET / HTTP/1.1\nHost: acme.test\n\n",
    b"GET / HTTP/1.1\r\nHost: acme.test\r\nBad Name: x\r\n\r\n",
    b"GET /%00 HTTP/1.1\r\nHost: acme.test\r\n\r\n",
    b"GET /../x HTTP/1.1\r\nHost: acme.test\r\n\r\n",
])
def test_an_ambiguous_request_is_400_and_the_connection_closes(host, acme, request_bytes):
    with Connection(host.port) as connection:
        connection.socket.sendall(request_bytes)
        refused(connection.read_response(), 400, "RH-BAD-REQUEST")
        assert connection.socket.recv(1) == b""


def test_requests_beyond_queue_and_workers_get_503_at_once(host):
    host.plans = "  test: { memory: 256M, cpu: 100%, pids: 64, workers: 1, threads: 1, concurrency: 1, queue: 2 }\n"
    host.gateways = 1
    host.add_probe("acme")
    host.start("acme/site")
    connections = [Connection(host.port) for _ in range(8)]
    for connection in connections:
        connection.send("acme.test", "/echo?id=1&ms=700", method="POST", body=b"x")
    answers = [connection.read_response("POST") for connection in connections]
    for connection in connections:
        connection.close()
    statuses = sorted(answer.status for answer in answers)
    assert statuses.count(200) >= 1 and statuses.count(503) >= 4, statuses
    assert {a.cause for a in answers if a.status == 503} == {"RH-QUEUE-FULL"}
    assert all(a.header("Retry-After") for a in answers if a.status == 503)


def test_a_request_that_waits_too_long_for_a_worker_gets_503(host):
    host.gateways = 1
    acme = host.add_probe("acme", timeouts="{ queue: 300ms }")
    host.start("acme/site")
    with host.occupied(acme, ms=2500) as busy:
        refused(host.http("acme.test", "/hello", method="POST", body=b"x"), 503, "RH-QUEUE-TIMEOUT")
        assert busy.read_response("POST").status == 200


def test_a_request_over_its_time_gets_504_and_the_worker_is_replaced(host):
    host.add_probe("acme", timeouts="{ request: 500ms }")
    host.start("acme/site")
    [old] = host.worker_pids("acme/site")
    refused(host.http("acme.test", "/echo?id=1&ms=60000"), 504, "RH-REQUEST-TIMEOUT")
    status = host.wait_status("acme/site", lambda s: s["last_exit"] and s["workers"]
                              and s["workers"][0]["state"] == "ready" and s["workers"][0]["pid"] != old)
    assert status["last_exit"]["code"] == "RH-REQUEST-TIMEOUT"
    assert host.http("acme.test").status == 200


def test_head_has_the_length_and_no_body(host, acme):
    answer = host.http("acme.test", "/hello", method="HEAD")
    assert answer.status == 200 and answer.header("Content-Length") == "5" and answer.body == b""


def test_pipelined_requests_are_answered_in_order(host, acme):
    with Connection(host.port) as connection:
        for number in range(20):
            connection.send("acme.test", f"/echo?id=n{number}&size=9")
        for number in range(20):
            assert connection.read_response().text.startswith(f"n{number}\n")


def test_environ_tells_the_request_as_it_was(host, acme):
    answer = host.http("acme.test", "/environment?a=1&b=%20", headers={"X-Custom": "yes", "Cookie": "c=d"})
    environ = json.loads(answer.text)["wsgi"]
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["QUERY_STRING"] == "a=1&b=%20"
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_HOST"] == "acme.test"
    assert environ["SERVER_PORT"] == str(host.port)
    assert environ["HTTP_X_CUSTOM"] == "yes" and environ["HTTP_COOKIE"] == "c=d"
    assert environ["wsgi.url_scheme"] == "http"


# --- many connections ------------------------------------------------------------------------------------------------
def descriptors(host):
    """Open descriptors of every gateway, worker and of the daemon."""
    pids = [*host.gateway_pids(), *host.worker_pids("acme/site"), host.daemon.pid]
    pids += [p.pid for p in processes.children(host.daemon.pid)]
    return {pid: processes.descriptor_count(pid) for pid in pids}


def keep_alive(host, count, until, errors):
    """`count` connections that each ask again and again, one after the other."""
    connections = [Connection(host.port) for _ in range(count)]
    number = 0
    try:
        while time.monotonic() < until:
            for connection in connections:
                number += 1
                answer = connection.request("acme.test", f"/echo?id={number}&size=30")
                if answer.status != 200 or not answer.text.startswith(f"{number}\n"):
                    errors.append(f"{answer.status} {answer.text[:80]}")
    except Exception as error:  # noqa: BLE001 - whatever went wrong is the result of the test
        errors.append(repr(error))
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.sanitized
def test_a_thousand_keep_alive_connections_work_and_leave_no_descriptor(host, acme):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * KEEP_ALIVE)), hard))
    host.http("acme.test")
    before, errors = descriptors(host), []
    until, threads = time.monotonic() + KEEP_ALIVE_S, 10
    running = [threading.Thread(target=keep_alive, args=(host, KEEP_ALIVE // threads, until, errors))
               for _ in range(threads)]
    for thread in running:
        thread.start()
    wait_until(lambda: sum(descriptors(host)[pid] for pid in host.gateway_pids()) > KEEP_ALIVE, KEEP_ALIVE_S,
               lambda: f"{KEEP_ALIVE} connections are open: {descriptors(host)}")
    for thread in running:
        thread.join(KEEP_ALIVE_S + 60)
    assert errors == []
    wait_until(lambda: all(descriptors(host)[pid] <= count for pid, count in before.items()), 10,
               lambda: f"before {before}, after {descriptors(host)}")


# --- several gateways -------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def stopped(pids):
    """These processes stand still meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.sanitized
def test_a_client_gets_its_share_of_the_connections_and_not_one_more(host):
    host.gateways, host.gateway_keys = 1, ", connections_per_address: 20"
    acme = host.add_probe("acme")
    host.start("acme/site")
    held = [Connection(host.port) for _ in range(20)]
    assert [c.request(acme.domain, "/hello").status for c in held] == [200] * 20
    with Connection(host.port) as refused:
        answer = refused.read_response("GET")
        assert answer.status == 503 and answer.header("Retry-After") and refused.socket.recv(1) == b""
    assert [c.request(acme.domain, "/hello").status for c in held] == [200] * 20
    assert "too-many-connections-of-one-client" in host.log
    held.pop().close()

    def admitted():
        with Connection(host.port) as again:
            return again.request(acme.domain, "/hello").status == 200

    wait_until(admitted, 10, "the place of the one that left is free")
    for connection in held:
        connection.close()


def test_each_of_several_gateways_serves_the_same_port_and_the_same_app(host):
    host.gateways = 3
    host.add_probe("acme")
    host.start("acme/site")
    pids = host.gateway_pids()
    assert len(pids) == 3
    for pid in pids:
        with stopped(set(pids) - {pid}):
            for number in range(5):
                assert host.http("acme.test", f"/echo?id={number}").text.startswith(f"{number}\n")
    assert host.gateway_pids() == pids


def test_several_gateways_share_the_load_without_an_error(host):
    host.gateways = 3
    host.add_probe("acme")
    host.start("acme/site")
    pids, errors, until = host.gateway_pids(), [], time.monotonic() + 2
    running = [threading.Thread(target=keep_alive, args=(host, 10, until, errors)) for _ in range(6)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
    assert errors == []
    assert host.gateway_pids() == pids


def test_the_answer_tells_nothing_of_the_inside(host, acme):
    answer = get(host.port, "acme.test", "/hello")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.header("Date"))
    assert not [key for key, _ in answer.headers if key.lower().startswith("x-")]
