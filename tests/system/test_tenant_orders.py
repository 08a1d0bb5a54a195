"""Orders about tenants: followed, audited, at once, and whatever dies or fails meanwhile."""
import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import threading
from http.client import HTTPException

import pytest
import yaml
from panel import api, api_as, control_pid, file_of, new_tenant, staged_files, start_acme
from processes import wait_until
from rowhouse_host import PATIENCE_S
from supervisors import end_supervisor


@pytest.fixture
def acme(host):
    return start_acme(host)


def test_an_order_that_is_not_waited_for_is_followed_by_its_id(host, acme):
    _, body = new_tenant(host, "globex")
    begun = api(host, "PUT", "/v1/tenants/globex?wait=0", body)
    assert begun.status == 202, begun
    op = begun.body["op"]
    assert (op["state"], op["method"], op["path"]) == ("running", "PUT", "/v1/tenants/globex"), op
    ended = api(host, "GET", f"/v1/ops/{op['id']}?wait=1").body["op"]
    assert (ended["state"], ended["status"], ended["result"]["created"]) == ("done", 201, True), ended
    assert api(host, "GET", f"/v1/ops/{op['id']}").body["op"] == ended
    assert api_as(host, acme.uid, "GET", f"/v1/ops/{op['id']}").status == 404
    # What is refused at once is no operation; what fails later is a failed one.
    assert api(host, "PUT", "/v1/tenants/globex?wait=0", {"uid": "x"}).status == 400
    failing = api(host, "PATCH", "/v1/tenants/globex?wait=0", {"plan": "nothing"}).body["op"]
    ended = api(host, "GET", f"/v1/ops/{failing['id']}?wait=1").body["op"]
    assert (ended["state"], ended["status"], ended["result"]["error"]["pointer"]) == ("failed", 422, "/plan")
    restart = api_as(host, acme.uid, "POST", "/v1/apps/acme/site/restart?wait=0").body["op"]
    ended = api_as(host, acme.uid, "GET", f"/v1/ops/{restart['id']}?wait=1").body["op"]
    assert (ended["state"], ended["result"]["outcome"]) == ("done", "done"), ended
    assert api(host, "GET", "/v1/ops/0-0").status == 404


@pytest.mark.parametrize("victim", ["control", "supervisor"])
def test_whatever_dies_while_a_panel_provisions_nothing_is_lost_or_half_made(host, acme, victim):
    """A panel that repeats what was not acknowledged, while control or the supervisor is killed again and again."""
    count, uid = 40, acme.uid
    homes = host.directory / "homes"
    acknowledged, failures, done = [], [], threading.Event()

    def provision():
        try:
            for i in range(count):
                home = homes / f"p{i}"
                home.mkdir()
                os.chown(home, uid + 1000 + i, uid + 1000 + i)
                body = {"uid": uid + 1000 + i, "gid": uid + 1000 + i, "home": str(home), "plan": "test",
                        "domains": [f"p{i}.test", f"*.p{i}.test"]}

                def acknowledged_now():
                    try:
                        reply = api(host, "PUT", f"/v1/tenants/p{i}", body)
                    except (OSError, ValueError, HTTPException):
                        return False  # who answered has died: a panel asks again
                    assert reply.status in (200, 201, 409, 503), reply
                    return reply.status in (200, 201)

                wait_until(acknowledged_now, PATIENCE_S, f"p{i} is acknowledged")
                acknowledged.append(i)
                assert yaml.safe_load(file_of(host, f"p{i}").read_text())["domains"] == body["domains"]
        except BaseException as error:  # told in the test's own thread
            failures.append(error)
        finally:
            done.set()

    panel = threading.Thread(target=provision)
    panel.start()
    kills = 0
    while not done.is_set():
        progress = len(acknowledged)
        if victim == "supervisor":
            end_supervisor(host)
        else:
            former = control_pid(host)
            if former is None:
                continue
            os.kill(former, signal.SIGKILL)
            wait_until(lambda: control_pid(host) not in (None, former), PATIENCE_S, "another control process")
        kills += 1
        # Each kill meets another moment of the next orders.
        wait_until(lambda: len(acknowledged) > progress or done.is_set(), PATIENCE_S * 2, "the panel gets on")
    panel.join()
    assert not failures, failures
    assert kills >= 3, "nothing was killed meanwhile"
    assert len(acknowledged) == count
    # Every file is whole, and all are in force.
    for path in (host.directory / "tenants.d").glob("*.yaml"):
        assert yaml.safe_load(path.read_text())["plan"] == "test", path
    wait_until(lambda: len(api(host, "GET", "/v1/tenants?limit=256").body["tenants"]) == count + 1, PATIENCE_S, "all are there")
    # They have no manifests yet, and that is all that is wrong with them.
    errors = host.cli("status", "--json").json["errors"]
    assert [e for e in errors if "tenants.d" in e["message"] or "manifest" not in e["message"]] == [], errors
    assert host.http("acme.test").text == "hello"


def test_conflicting_orders_at_once_are_carried_out_one_after_the_other(host, acme):
    bodies = [{"plan": "large" if i % 2 else "test", "domains": ["acme.test", f"n{i}.test"]} for i in range(40)]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda body: api(host, "PATCH", "/v1/tenants/acme", body), bodies))
    assert {r.status for r in replies} == {200}, replies
    found = api(host, "GET", "/v1/tenants/acme").body["tenant"]
    assert {"plan": found["plan"], "domains": found["domains"]} in bodies, found
    text = yaml.safe_load(file_of(host, "acme").read_text())
    assert (text["plan"], text["domains"]) == (found["plan"], found["domains"])
    assert staged_files(host) == [] and host.http("acme.test").text == "hello"


@pytest.mark.parametrize("kind", ["read-only", "full"])
def test_a_directory_that_cannot_be_written_is_an_answer_and_nothing_changes(host, acme, kind):
    directory, _ = host.directory / "tenants.d", new_tenant(host, "globex")
    before = file_of(host, "acme").read_text()

    def mount(*arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)

    if kind == "read-only":
        mount("--bind", directory, directory)
        mount("-o", "remount,ro,bind", directory)
    else:
        mount("-t", "tmpfs", "-o", "size=4k,mode=755", "none", directory)
        file_of(host, "acme").write_text(before)
    try:
        refused = api(host, "PATCH", "/v1/tenants/acme", {"plan": "large"})
        assert (refused.status, refused.error["code"]) == (422, "refused"), refused
        assert "cannot be written" in refused.error["message"] and file_of(host, "acme").read_text() == before
        if kind == "read-only":
            assert api(host, "DELETE", "/v1/tenants/acme").status == 422 and file_of(host, "acme").exists()
        assert host.http("acme.test").text == "hello" and staged_files(host) == []
    finally:
        # The supervisor has it open, until it opens it anew for the next order.
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
    assert api(host, "PATCH", "/v1/tenants/acme", {"plan": "large"}).status == 200


def test_a_client_that_goes_after_asking_has_asked(host, acme):
    _, body = new_tenant(host, "globex")
    text = json.dumps(body)
    with socket.socket(socket.AF_UNIX) as panel:
        panel.connect(str(host.socket_path))
        panel.sendall(f"PUT /v1/tenants/globex HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
    wait_until(lambda: api(host, "GET", "/v1/tenants/globex").status == 200, PATIENCE_S, "it is carried out")
    assert api(host, "PUT", "/v1/tenants/globex", body).body["created"] is False


def test_the_audit_has_every_order_with_its_outcome_and_is_for_administrators(host, acme):
    api(host, "PATCH", "/v1/tenants/acme", {"plan": "large"})
    api(host, "PATCH", "/v1/tenants/acme", {"plan": "nothing"})
    api_as(host, acme.uid, "POST", "/v1/tenants/acme/suspend")
    op = api_as(host, acme.uid, "POST", "/v1/apps/acme/site/restart?wait=0").body["op"]["id"]
    api_as(host, acme.uid, "GET", f"/v1/ops/{op}?wait=1")
    told = api(host, "GET", "/v1/audit").body["orders"]
    assert [(o["uid"], o["method"], o["path"], o["status"], o.get("code")) for o in told] == [
        (0, "PATCH", "/v1/tenants/acme", 200, None), (0, "PATCH", "/v1/tenants/acme", 422, "refused"),
        (acme.uid, "POST", "/v1/tenants/acme/suspend", 403, "forbidden"),
        (acme.uid, "POST", "/v1/apps/acme/site/restart?wait=0", 200, None)], told
    assert {"tenant": "acme", "key": "plan", "effect": "applied_live"} in told[0]["changes"] and told[3]["app"] == "site"
    page = api(host, "GET", f"/v1/audit?since={told[1]['id']}&limit=1&tenant=acme").body
    assert page["orders"] == [told[2]] and page["next"] == told[2]["id"]
    assert api_as(host, acme.uid, "GET", "/v1/audit").status == 403
    assert host.cli("audit", uid=acme.uid).code == 4
    shown = host.cli("audit", "acme")
    assert shown.code == 0 and "422 plan \"nothing\" does not exist" in shown.out, shown
    # It outlives whoever wrote it.
    former = control_pid(host)
    os.kill(former, signal.SIGKILL)
    wait_until(lambda: control_pid(host) not in (None, former), PATIENCE_S, "another control process")
    wait_until(host.answers, PATIENCE_S, "it answers")
    assert api(host, "GET", "/v1/audit").body["orders"] == told
