"""ASGI apps through the real gateway: HTTP both ways, lifespan, restart, errors."""
import hashlib
import json
import threading
import time

import pytest
from http_client import Connection
from processes import wait_until
from rowhouse_host import APPS, PATIENCE_S

pytestmark = pytest.mark.sanitized

KEYS = {"routes": None, "asgi": "plain:application", "directory": "asgi",
        "timeouts": "{ startup: 60s, graceful: 5s, shutdown: 3s }"}


def put_app(host, **keys):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "asgi", "asgi")
    lines = {**KEYS, "routes": f"[{tenant.domain}]", **keys}
    tenant.manifest("apps:\n  site:\n" + "".join(f"    {key}: {value}\n" for key, value in lines.items()))
    return tenant


@pytest.fixture
def acme(host):
    tenant = put_app(host)
    host.start("acme/site")
    return tenant


def app_log(host):
    return host.cli("logs", "acme/site").out


def test_requests_bodies_and_the_shared_state_of_the_lifespan(host, acme):
    facts = json.loads(host.http(acme.domain, "/").body)
    assert facts["started"] and facts["pool"] == "a pool" and facts["client"] == "127.0.0.1"
    body = hashlib.sha256(b"x").digest() * 100_000
    answer = host.http(acme.domain, "/upload", method="POST", body=body)
    assert answer.text == f"{len(body)} {hashlib.sha256(body).hexdigest()}"


def test_a_body_is_answered_while_it_still_comes(host):
    acme = put_app(host, buffering="false")
    host.start("acme/site")
    with Connection(host.port) as connection:
        connection.socket.sendall(f"POST /mirror HTTP/1.1\r\nHost: {acme.domain}\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\n4\r\nping\r\n".encode())
        assert connection.read_head().status == 200
        chunks = connection.chunks()
        assert next(chunks) == b"ping"
        connection.socket.sendall(b"4\r\npong\r\n0\r\n\r\n")
        assert b"".join(chunks) == b"pong"


def test_a_client_that_leaves_is_told_to_the_app(host, acme):
    with Connection(host.port) as connection:
        connection.send(acme.domain, "/ticks")
        connection.read_head()
    wait_until(lambda: json.loads(host.http(acme.domain, "/disconnects").body) == ["/ticks"], PATIENCE_S,
               "the app heard of the client's end")


def test_an_error_is_500_and_a_late_one_a_cut_answer(host, acme):
    assert host.http(acme.domain, "/failing").status == 500
    wait_until(lambda: "this app is broken" in app_log(host), PATIENCE_S, "the traceback in the log")
    with Connection(host.port) as connection:
        connection.send(acme.domain, "/late")
        assert connection.read_head().status == 200
        with pytest.raises(Exception):
            list(connection.chunks())
    assert host.http(acme.domain, "/").status == 200


def test_one_worker_runs_many_requests_at_once_up_to_its_concurrency(host):
    tenant = put_app(host, concurrency="20")
    host.start("acme/site")
    answers = []

    def ask():
        answers.append(host.http(tenant.domain, "/sleepy").text)

    began = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert answers == ["slept"] * 40
    assert took >= 1.0, "40 requests of 0.5 s in 20 places take at least 1 s"
    assert took < 0.5 * 40 / 2, "they did not wait for each other"


def test_a_restart_loses_no_request_and_awaits_the_shutdown(host, acme):
    first = json.loads(host.http(acme.domain, "/").body)["instance"]
    assert host.cli("restart", "acme/site").code == 0
    assert json.loads(host.http(acme.domain, "/").body)["instance"] != first
    wait_until(lambda: "lifespan is over" in app_log(host), PATIENCE_S, "the end of the old worker's lifespan")


def test_a_startup_that_fails_is_a_failed_start_that_says_why(host):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", """
        async def application(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "the database is away"})
        """)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], asgi: 'app:application' }}\n")
    host.start()
    host.wait_status("acme/site", lambda s: s["last_exit"] is not None)
    last = host.status("acme/site")["last_exit"]
    assert last["code"] == "RH-IMPORT" and "the database is away" in last["detail"], last
    assert "the app's startup failed: the database is away" in app_log(host)


@pytest.mark.parametrize("first, is_told", [("await receive()", True), ("pass", False)])
def test_a_lifespan_that_raises_is_told_once_the_app_has_begun_it(host, first, is_told):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", f"""
        async def application(scope, receive, send):
            if scope["type"] == "lifespan":
                {first}
                raise RuntimeError("the database is away")
            await send({{"type": "http.response.start", "status": 200}})
            await send({{"type": "http.response.body", "body": b"served"}})
            print("a request")
        """)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], asgi: 'app:application' }}\n")
    host.start("acme/site")
    assert host.http(tenant.domain, "/").text == "served"
    log = wait_until(lambda: out if "a request" in (out := app_log(host)) else None, PATIENCE_S, "the app's line")
    assert ("rowhouse: the app's startup, without which it is served: exception" in log) == is_told, log
    assert ("RuntimeError: the database is away" in log) == is_told, log


def test_an_app_key_finds_out_what_the_app_is(host):
    tenant = put_app(host)
    tenant.put("old.py", """
        def application(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"wsgi, multithread " + str(environ["wsgi.multithread"]).encode()]
        """)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], app: 'plain:application', directory: asgi }}\n"
                    f"  old: {{ routes: [{tenant.domain}/old], app: 'old:application', threads: 2 }}\n")
    host.start("acme/site", "acme/old")
    assert host.http(tenant.domain, "/").status == 200
    assert host.http(tenant.domain, "/old").text == "wsgi, multithread True"


def test_an_app_at_a_sub_path_is_told_where_it_is(host):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", """
        async def application(scope, receive, send):
            assert scope["type"] == "http"
            body = (scope["root_path"] + " " + scope["path"]).encode()
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": body})
        """)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}/sub], asgi: 'app:application' }}\n")
    host.start("acme/site")
    assert host.http(tenant.domain, "/sub/page").text == "/sub /sub/page"
