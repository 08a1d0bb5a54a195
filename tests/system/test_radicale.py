"""Radicale, a CalDAV server, from its package: unusual methods, XML, at the root and at a sub-path, as under wsgiref."""
import re
import subprocess

import pytest
from http_client import get
from processes import wait_until
from rowhouse_host import PATIENCE_S, free_port

EVENT = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//acme//test//EN\r\nBEGIN:VEVENT\r\nUID:one@acme.test\r\n"
         "DTSTAMP:20260101T000000Z\r\nDTSTART:20260102T100000Z\r\nDTEND:20260102T110000Z\r\nSUMMARY:Grüße\r\n"
         "END:VEVENT\r\nEND:VCALENDAR\r\n").encode()
NAMES = (b'<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getetag/><D:displayname/>'
         b"</D:prop></D:propfind>")
QUERY = (b'<?xml version="1.0"?><C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop>'
         b"<D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name=\"VCALENDAR\"><C:comp-filter name=\"VEVENT\"/>"
         b"</C:comp-filter></C:filter></C:calendar-query>")
XML = {"Content-Type": "application/xml"}
CALENDAR = {"Content-Type": "text/calendar; charset=utf-8"}
# One visit of a calendar program, from an empty store.
VISIT = [("OPTIONS", "/", {}, b""), ("PROPFIND", "/demo/", {"Depth": "0"}, b""), ("MKCALENDAR", "/demo/work/", XML, b""),
         ("MKCALENDAR", "/demo/work/", XML, b""), ("PUT", "/demo/work/one.ics", CALENDAR, EVENT),
         ("GET", "/demo/work/one.ics", {}, b""), ("HEAD", "/demo/work/one.ics", {}, b""),
         ("PROPFIND", "/demo/work/", {"Depth": "1", **XML}, NAMES), ("REPORT", "/demo/work/", {"Depth": "1", **XML}, QUERY),
         ("PUT", "/demo/work/bad.ics", CALENDAR, b"no calendar"), ("DELETE", "/demo/work/one.ics", {}, b""),
         ("GET", "/demo/work/one.ics", {}, b""), ("GET", "/nowhere/", {}, b"")]
CONFIG = "[auth]\ntype = none\n[rights]\ntype = authenticated\n[storage]\nfilesystem_folder = {folder}\n[web]\ntype = none\n"
SERVERS_OWN = {"date", "server", "connection", "transfer-encoding", "keep-alive", "last-modified"}
WSGIREF = """
import sys
from wsgiref.simple_server import make_server, WSGIRequestHandler
from radicale import application
WSGIRequestHandler.log_message = lambda *_: None
make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
"""
LOGGED_IN = {"Authorization": "Basic ZGVtbzpkZW1v"}


@pytest.fixture
def acme(host):
    tenant = host.add_tenant("acme")
    apps = ""
    for name, prefix in (("root", ""), ("sub", "/calendars")):
        tenant.put(f"{name}/config", CONFIG.format(folder=tenant.home / name / "collections"))
        tenant.put(f"{name}/radicale.wsgi", "from radicale import application\n")
        apps += (f"  {name}: {{ routes: ['{tenant.domain}{prefix}'], wsgi: {name}/radicale.wsgi, directory: {name}, threads: 2,\n"
                 f"    python: '3.11', env: {{ RADICALE_CONFIG: '{tenant.home}/{name}/config' }}, timeouts: {{ startup: 120s }} }}\n")
    tenant.manifest("apps:\n" + apps)
    host.start("acme/root", "acme/sub")
    return tenant


@pytest.fixture
def wsgiref(tmp_path):
    port = free_port()
    (tmp_path / "config").write_text(CONFIG.format(folder=tmp_path / "collections"))
    process = subprocess.Popen(["/usr/bin/python3", "-c", WSGIREF, str(port)], stderr=subprocess.DEVNULL, cwd=tmp_path,
                               env={"RADICALE_CONFIG": str(tmp_path / "config"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})

    def answers():
        try:
            return get(port, "acme.test", "/", method="OPTIONS", headers=LOGGED_IN).status == 200
        except OSError:
            return False

    wait_until(answers, 3 * PATIENCE_S, "wsgiref answers")
    yield port
    process.terminate()
    process.wait(PATIENCE_S)


def ask(port, domain, request, prefix=""):
    method, path, headers, body = request
    return get(port, domain, prefix + path, method=method, headers={**LOGGED_IN, **headers}, body=body)


def own_headers(response):
    return sorted((name.lower(), value) for name, value in response.headers if name.lower() not in SERVERS_OWN)


def test_a_visit_of_a_calendar_program_is_answered_as_under_wsgiref(host, acme, wsgiref):
    statuses = []
    for request in VISIT:
        ours, theirs = ask(host.port, acme.domain, request), ask(wsgiref, acme.domain, request)
        assert (ours.status, ours.body) == (theirs.status, theirs.body), request[:2]
        assert own_headers(ours) == own_headers(theirs), request[:2]
        statuses.append(ours.status)
    assert statuses[2] == 201 and statuses[4] == 201 and {207} <= set(statuses), statuses


def test_at_a_sub_path_the_links_have_it(host, acme):
    for request in VISIT[:9]:
        answer = ask(host.port, acme.domain, request, "/calendars")
        if request[0] in ("PROPFIND", "REPORT"):
            links = re.findall(r"<href>([^<]+)</href>", answer.text)
            assert answer.status == 207 and links and all(link.startswith("/calendars/") for link in links), answer.text
    assert "Grüße" in ask(host.port, acme.domain, VISIT[5], "/calendars").text
    assert list((acme.home / "sub/collections").rglob("one.ics")) and not list((acme.home / "root").rglob("one.ics"))
