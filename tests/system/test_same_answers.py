"""Django and Flask, unchanged, at the root and at a sub-path: byte for byte what wsgiref answers; FastAPI at a sub-path as
under uvicorn.  (At the root: test_fastapi.py; under ASGI with Channels: test_channels.py; Radicale: test_radicale.py.)"""
import json
import re
import shutil

import pytest
import requests
from django_site import PASSWORD, add_django
from http_client import Connection, get
from peers import own_headers, uvicorn, without_secrets, wsgiref
from processes import wait_until
from rowhouse_host import APPS, PATIENCE_S
from test_channels import UPLOAD as FORM
from test_fastapi import REQUESTS as FASTAPI_REQUESTS
from websocket_client import WebSocket

MOUNTS = ["", "/deep/sub"]
TIMES = "timeouts: { startup: 120s, graceful: 5s, shutdown: 3s }"
VIEWS = [("/", {}), ("/?a=1&b=%C3%A4", {}), ("/", {"method": "HEAD"}), ("/", {"method": "DELETE"}), ("/upload", FORM),
         ("/stream", {}), ("/file", {}), ("/file", {"method": "HEAD"}), ("/nowhere", {}), ("/fails", {})]
RAW = {"method": "POST", "body": b"raw\0bytes" * 5000, "headers": {"Content-Type": "application/octet-stream"}}
FLASK = [("/", {}), ("/?name=Gr%C3%BC%C3%9Fe", {}), ("/where?a=1&b=%C3%A4&c=", {}), ("/", {"method": "HEAD"}), ("/form", FORM),
         ("/raw", RAW), ("/who", {}), ("/stream", {}), ("/file", {}), ("/file", {"headers": {"Range": "bytes=10-19"}}),
         ("/file", {"headers": {"If-None-Match": '"fixed"'}}), ("/source", {}), ("/source", {"method": "HEAD"}), ("/cached", {}),
         ("/cached", {"headers": {"If-None-Match": '"tag"'}}), ("/fails", {}), ("/teapot", {}), ("/nowhere", {}),
         ("/where", {"method": "POST"}), ("/caf%C3%A9", {}), ("/where", {"method": "OPTIONS"})]


def serve(host, tenant, prefix, callable_, directory="site", interface="wsgi"):
    tenant.manifest(f"apps:\n  site: {{ routes: ['{tenant.domain}{prefix}'], {interface}: '{callable_}', directory: {directory},\n"
                    f"    python: '3.11', {TIMES} }}\n")
    host.start("acme/site")


def assert_same(ours, theirs, what):
    assert (ours.status, ours.body) == (theirs.status, theirs.body), what
    assert own_headers(ours.status, ours.headers) == own_headers(theirs.status, theirs.headers), what


def compare_wsgi(host, tenant, peer, requests_, prefix):
    for path, options in requests_:
        ours, theirs = (get(port, tenant.domain, prefix + path, **options) for port in (host.port, peer))
        assert_same(ours, theirs, path)
        assert ours.reason == theirs.reason, "in WSGI it is the app's word"


@pytest.mark.sanitized
@pytest.mark.parametrize("prefix", MOUNTS)
def test_views_of_django_upload_stream_and_send_files_as_under_wsgiref(host, prefix):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "chat", "site")
    serve(host, tenant, prefix, "chat_wsgi:application")
    with wsgiref(APPS / "chat", "chat_wsgi:application", prefix) as peer:
        compare_wsgi(host, tenant, peer, VIEWS, prefix)


@pytest.mark.sanitized
@pytest.mark.parametrize("prefix", MOUNTS)
def test_flask_answers_as_under_wsgiref(host, prefix):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "flask_site", "site")
    serve(host, tenant, prefix, "site_app:app")
    with wsgiref(APPS / "flask_site", "site_app:app", prefix) as peer:
        compare_wsgi(host, tenant, peer, FLASK, prefix)
        logins = [get(port, tenant.domain, f"{prefix}/login") for port in (host.port, peer)]
        cookies = [[v for k, v in each.headers if k.lower() == "set-cookie"] for each in logins]
        assert len(cookies[0]) == 3 and list(map(without_times, cookies[0])) == list(map(without_times, cookies[1]))
        session = next(v for v in cookies[0] if v.startswith("session=")).partition(";")[0]
        compare_wsgi(host, tenant, peer, [("/who", {"headers": {"Cookie": session}})], prefix)
        assert host.http(tenant.domain, f"{prefix}/who", headers={"Cookie": session}).text == "ann"


def without_times(cookie):
    """A session is signed with its time."""
    return re.sub(r"^session=[^;]+", "session=SIGNED", re.sub(r"Expires=[^;]+", "Expires=DATE", cookie))


class Browser:
    """One visitor: cookies, and the token of the last form."""

    def __init__(self, port, domain, prefix):
        self.session, self.base, self.token = requests.Session(), f"http://127.0.0.1:{port}{prefix}", ""
        self.session.headers.update({"Host": domain, "Accept-Encoding": "identity"})

    def visit(self, method, path, form=None):
        """What can be compared of an answer."""
        if form is not None:
            form = {**form, "csrfmiddlewaretoken": self.token}
        answer = self.session.request(method, self.base + path, data=form, allow_redirects=False, timeout=60)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.text)
        self.token = found.group(1) if found else self.token
        headers = [(k, without_secrets(v)) for k, v in own_headers(answer.status_code, answer.raw.headers.iteritems())]
        return answer.status_code, headers, without_secrets(answer.text)


LOGIN = "/admin/login/?next=/admin/"
VISIT = [("GET", "/", None), ("HEAD", "/", None), ("GET", "/admin/", None), ("GET", LOGIN, None),
         ("POST", LOGIN, {"username": "demo", "password": "wrong"}), ("POST", LOGIN, {"username": "demo", "password": PASSWORD}),
         ("GET", "/admin/", None), ("GET", "/admin/guestbook/entry/add/", None),
         ("POST", "/admin/guestbook/entry/add/", {"name": "", "text": ""}),
         ("POST", "/admin/guestbook/entry/add/", {"name": "Wile E.", "text": "It did <not> work. Grüße"}),
         ("GET", "/admin/guestbook/entry/", None), ("GET", "/admin/guestbook/entry/?q=Wile", None),
         ("GET", "/admin/guestbook/entry/1/change/", None), ("GET", "/admin/guestbook/entry/1/history/", None), ("GET", "/", None),
         ("POST", "/", {"name": "Ann", "text": "Hello"}), ("GET", "/admin/nothing/", None), ("GET", "/upload", None),
         ("GET", "/download/2", None), ("POST", "/admin/logout/", {}), ("GET", "/admin/guestbook/entry/", None)]


@pytest.mark.parametrize("prefix", MOUNTS)
def test_a_visit_of_the_admin_is_answered_as_under_wsgiref(host, tmp_path, prefix):
    tenant = add_django(host)
    shutil.copytree(tenant.home / "site", tmp_path / "site")  # the same rows, keys and password
    serve(host, tenant, prefix, "acme.wsgi:application")
    with wsgiref(tmp_path / "site", "acme.wsgi:application", prefix) as peer:
        ours, theirs = (Browser(port, tenant.domain, prefix) for port in (host.port, peer))
        statuses = []
        for step in VISIT:
            answers = ours.visit(*step), theirs.visit(*step)
            assert answers[0] == answers[1], step[:2]
            statuses.append(answers[0][0])
    assert statuses[5] == 302 and statuses[6] == 200 and statuses[9] == 302, statuses


def test_fastapi_at_a_sub_path_answers_as_under_uvicorn(host):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "fastapi_site", "site")
    serve(host, tenant, "/deep/sub", "mounted:application", interface="asgi")
    with uvicorn(APPS / "fastapi_site", "site_app:app", "/deep/sub") as peer:
        for method, path, headers, body in FASTAPI_REQUESTS:
            options = {"method": method, "headers": headers, "body": body}
            assert_same(host.http(tenant.domain, "/deep/sub" + path, **options), get(peer, tenant.domain, path, **options), path)
    assert host.http(tenant.domain, "/deep/sub/later?what=mail", method="POST").text == '"accepted"'
    with Connection(host.port) as connection:
        connection.send(tenant.domain, "/deep/sub/events")
        connection.read_head()
        assert next(connection.chunks()).startswith(b"data: tick")
    with WebSocket(host.port, tenant.domain, "/deep/sub/chat/lobby") as socket:
        socket.send("hello")
        assert json.loads(socket.receive()) == {"room": "lobby", "heard": "hello"}
        assert socket.close(1001) == (1001, "")
    wait_until(lambda: json.loads(host.http(tenant.domain, "/deep/sub/background").body) == ["mail", "left with 1001"],
               PATIENCE_S, "the tasks ran")
    wait_until(lambda: host.http(tenant.domain, "/deep/sub/left").text == "1", PATIENCE_S, "the generator was closed")
