"""`rowhouse stacks`: where every thread of a worker is, on demand, whatever it does; the worker goes on."""
import pytest
from http_client import Connection
from processes import wait_until
from rowhouse_host import PATIENCE_S

APP = """
    import asyncio, ctypes, threading, time

    LIBC = ctypes.PyDLL(None)  # its functions are called with the GIL held

    def hang_in_c(seconds):
        print("hangs")
        LIBC.usleep(int(seconds * 1e6))

    def wait_for_long(event):
        event.wait()

    threading.Thread(target=wait_for_long, args=(threading.Event(),), daemon=True).start()

    def application(environ, start_response):
        if environ["PATH_INFO"] == "/hang":
            hang_in_c(3)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"answered"]

    async def asgi(scope, receive, send):
        assert scope["type"] == "http"
        if scope["path"].endswith("/hang"):
            hang_in_c(3)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"answered"})
"""


@pytest.fixture
def acme(host):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", APP)
    tenant.manifest(f"apps:\n  wsgi: {{ routes: [{tenant.domain}], wsgi: 'app:application', threads: 2 }}\n"
                    f"  asgi: {{ routes: [{tenant.domain}/asgi], asgi: 'app:asgi' }}\n")
    host.start("acme/wsgi", "acme/asgi")
    return tenant


@pytest.mark.parametrize("app, mount", [("acme/wsgi", ""), ("acme/asgi", "/asgi")])
def test_the_stacks_of_all_threads_are_in_the_log_while_one_holds_the_gil(host, acme, app, mount):
    [worker] = host.worker_pids(app)
    with Connection(host.port) as connection:
        connection.send(acme.domain, f"{mount}/hang")
        wait_until(lambda: "hangs" in host.cli("logs", app).out, PATIENCE_S, "the app holds the GIL")
        answer = host.cli("stacks", app, uid=acme.uid)
        assert answer.code == 0 and f"rowhouse logs {app}" in answer.out, answer
        log = wait_until(lambda: text if "in wait_for_long" in (text := host.cli("logs", app).out) else None,
                         PATIENCE_S, "the stacks")
        assert "in hang_in_c" in log and log.count("most recent call first") >= 2
        assert connection.read_response().body == b"answered"
    assert host.http(acme.domain, f"{mount}/").body == b"answered"
    assert host.worker_pids(app) == [worker] and host.status(app)["last_exit"] is None


def test_who_may_ask_and_when(host, acme):
    stranger = host.add_tenant("other")
    assert host.cli("reload").code == 0
    assert host.cli("stacks", "acme/wsgi", uid=stranger.uid).code == 3
    assert host.cli("stacks", "acme/nothing").code == 3
    assert host.cli("stop", "acme/wsgi").code == 0
    refused = host.cli("stacks", "acme/wsgi", "--json")
    assert refused.code == 1 and "conflict" in refused.out + refused.err, refused
