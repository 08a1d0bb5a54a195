"""Django under ASGI with Channels, unchanged, under Rowhouse and under uvicorn; at the root and at a sub-path."""
import json
import subprocess

import pytest
from http_client import get
from processes import wait_until
from rowhouse_host import APPS, PATIENCE_S, free_port
from test_fastapi import MULTIPART, own_headers
from websocket_client import Refused, WebSocket

FORM = MULTIPART.replace(b"--limit--", b"--limit\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nwile\r\n--limit--")
UPLOAD = {"method": "POST", "headers": {"Content-Type": "multipart/form-data; boundary=limit"}, "body": FORM}
REQUESTS = [("/", {}), ("/?a=1&b=%C3%A4", {}), ("/", {"method": "HEAD"}), ("/waits", {}), ("/upload", UPLOAD), ("/stream", {}),
            ("/file", {}), ("/nowhere", {}), ("/fails", {}), ("/", {"method": "DELETE"})]


@pytest.fixture
def acme(host):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "chat", "site")
    tenant.manifest("apps:\n" + "".join(
        f"  {name}: {{ routes: ['{tenant.domain}{prefix}'], asgi: 'chat:application', directory: site, python: '3.11',\n"
        "    timeouts: { startup: 120s, graceful: 3s, shutdown: 3s } }\n" for name, prefix in (("site", ""), ("sub", "/chat"))))
    host.start("acme/site", "acme/sub")
    return tenant


@pytest.fixture
def uvicorn():
    port = free_port()
    process = subprocess.Popen(["/usr/bin/python3", "-B", "-m", "uvicorn", "--port", str(port), "--log-level", "critical",
                                "chat:application"], cwd=APPS / "chat", stderr=subprocess.DEVNULL)

    def answers():
        try:
            return get(port, "acme.test", "/waits").status == 200
        except OSError:
            return False

    wait_until(answers, 3 * PATIENCE_S, "uvicorn answers")
    yield port
    process.terminate()
    process.wait(PATIENCE_S)


def test_the_same_answers_as_under_uvicorn(host, acme, uvicorn):
    for path, options in REQUESTS:
        ours, theirs = host.http(acme.domain, path, **options), get(uvicorn, acme.domain, path, **options)
        assert (ours.status, ours.body) == (theirs.status, theirs.body), path
        assert own_headers(ours) == own_headers(theirs), path


def test_django_knows_its_sub_path(host, acme):
    facts = json.loads(host.http(acme.domain, "/chat/?a=1").body)
    assert (facts["path"], facts["home"]) == ("/chat/", "/chat/")
    assert json.loads(host.http(acme.domain, "/chat/upload", **UPLOAD).body)["name"] == "wile"
    assert host.http(acme.domain, "/chat/stream").body == host.http(acme.domain, "/stream").body
    assert host.http(acme.domain, "/chat/nowhere").status == 404


@pytest.mark.parametrize("prefix", ["", "/chat"])
def test_a_room_hears_what_its_members_say(host, acme, prefix):
    with WebSocket(host.port, acme.domain, f"{prefix}/room/lobby") as one, \
            WebSocket(host.port, acme.domain, f"{prefix}/room/lobby") as two:
        for text in ("hello", "Grüße"):
            one.send(json.dumps({"say": text}))
            assert json.loads(one.receive()) == json.loads(two.receive()) == {"room": "lobby", "said": text}
        one.close(1001)
        assert json.loads(two.receive()) == {"room": "lobby", "said": "somebody left with 1001"}
        assert two.close() == (1000, "")


def test_a_synchronous_consumer_and_a_path_that_nobody_serves(host, acme):
    with WebSocket(host.port, acme.domain, "/shout") as socket:
        socket.send("loud")
        assert json.loads(socket.receive()) == {"shout": "LOUD"}
        assert socket.close() == (1000, "")
    with pytest.raises(Refused) as refused:
        WebSocket(host.port, acme.domain, "/nobody/here").__enter__()
    assert refused.value.status == 500, "Channels raises for it"
    assert host.http(acme.domain, "/waits").status == 200
