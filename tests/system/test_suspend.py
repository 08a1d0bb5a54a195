"""A suspended tenant: nothing of it runs and nothing of it is served, at once and for as long as its file says so."""
import json
import os
import signal

import pytest
from http_client import Connection
from processes import wait_until
from rowhouse_host import PATIENCE_S
from supervisors import end_supervisor, workers


def set_suspended(host, tenant, word):
    host.register(tenant, f"uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: test\n"
                          f"domains: [{', '.join(tenant.domains)}]\nsuspended: {word}\n")


def suspend(host, tenant, app="acme/site", word="{ reason: unpaid since May }"):
    set_suspended(host, tenant, word)
    return host.wait_status(app, lambda s: s["state"] == "suspended" and not s["workers"])


def lift(host, tenant):
    set_suspended(host, tenant, "false")


def event_types(host, app="acme/site"):
    return [e["type"] for e in host.cli("events", app, "--json", "-n", "1000").json["events"]]


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme", static="{ /static/: files }", redirect="{ acme.test/old: /new }",
                            error_pages="{ 503: gone.html }")
    tenant.put("files/style.css", "p {}")
    tenant.put("gone.html", "<h1>the tenant's own words</h1>")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    return tenant


def test_nothing_is_served_and_what_ran_comes_back(host, acme):
    pids, neighbour = workers(host), workers(host, "globex/site")
    assert host.http("acme.test", "/static/style.css").status == 200
    assert host.http("acme.test", "/old").status in (301, 302, 307, 308)
    status = suspend(host, acme)
    assert status["suspended"] == {"reason": "unpaid since May"}
    for path in ("/hello", "/static/style.css", "/static/nothing", "/old"):
        answer = host.http("acme.test", path)
        assert (answer.status, answer.cause) == (503, "RH-SUSPENDED"), (path, answer)
        assert answer.header("Retry-After") is None
        # A page of ours, for people: neither the reason nor a word of the tenant's.
        assert "This site is suspended" in answer.text and "<h1>Site suspended</h1>" in answer.text
        assert "unpaid" not in answer.text and "own words" not in answer.text
    program = host.http("acme.test", headers={"Accept": "application/json"})
    assert json.loads(program.body)["error"]["code"] == "RH-SUSPENDED" and "unpaid" not in program.text
    assert all(not os.path.exists(f"/proc/{pid}") for pid in pids)
    # Its workers were ended in order, which is no failure.
    assert status["last_exit"] is None
    told = host.cli("events", "acme/site", "--json", "-n", "1000").json["events"]
    assert [e["reason"] for e in told if e["type"] == "suspended"] == ["unpaid since May"]
    assert "RH-SUSPENDED" in {e.get("code") for e in told if e["type"] == "ended"}
    # The neighbour did not notice.
    assert host.http("globex.test").text == "hello" and workers(host, "globex/site") == neighbour
    lift(host, acme)
    host.wait_running("acme/site")
    assert host.http("acme.test").text == "hello"
    assert host.http("acme.test", "/static/style.css").status == 200
    assert event_types(host)[-3:] == ["unsuspended", "starting", "ready"]
    assert host.status("acme/site")["suspended"] is None


def test_the_tenant_cannot_start_what_is_suspended_and_is_told_why(host, acme):
    suspend(host, acme)
    for command in ("start", "restart"):
        for uid in (0, acme.uid):
            refused = host.cli(command, "acme/site", uid=uid)
            assert refused.code == 1, refused
            assert "acme/site is suspended (unpaid since May)" in refused.err, refused
    assert host.cli("restart", "acme/site", "--hard").code == 1
    story = host.cli("explain", "acme/site", uid=acme.uid).out
    assert "acme/site is suspended" in story and "has suspended it: unpaid since May" in story
    assert "Visitors get 503 RH-SUSPENDED" in story
    assert "by the operator: unpaid since May" in host.cli("status", uid=acme.uid).out
    globex = host.tenants["globex"]
    assert "unpaid" not in host.cli("status", uid=globex.uid).out
    assert host.cli("explain", "acme/site", uid=globex.uid).code == 3
    assert host.http("acme.test").cause == "RH-SUSPENDED"
    # A manifest that changes meanwhile starts nothing.
    host.set_probe(acme, env="{ CHANGED: 'yes' }")
    assert host.cli("reload", "acme").code == 0
    assert host.status("acme/site")["workers"] == []
    assert host.status("acme/site")["state"] == "suspended"


def test_a_stopped_app_stays_stopped_and_a_sleeping_one_sleeps(host, acme):
    assert host.cli("stop", "acme/site").code == 0
    suspend(host, acme)
    lift(host, acme)
    host.wait_status("acme/site", lambda s: s["state"] == "stopped")
    assert host.http("acme.test").cause == "RH-STOPPED"
    # Stopped by its tenant while it is suspended: that counts afterwards.
    assert host.cli("start", "acme/site").code == 0
    suspend(host, acme)
    assert host.cli("stop", "acme/site", uid=acme.uid).code == 0
    lift(host, acme)
    host.wait_status("acme/site", lambda s: s["state"] == "stopped")
    host.set_probe(acme, workers="{ min: 0, max: 1 }")
    assert host.cli("reload", "acme").code == 0
    assert host.cli("start", "acme/site").code == 0
    suspend(host, acme, word="true")
    assert host.status("acme/site")["suspended"] == {"reason": ""}
    lift(host, acme)
    host.wait_status("acme/site", lambda s: s["state"] == "idle")
    assert host.http("acme.test").text == "hello"


def test_a_request_that_runs_is_finished_and_one_that_waits_is_refused(host, acme):
    host.set_probe(acme, threads="1")
    assert host.cli("reload", "acme").code == 0
    host.wait_running("acme/site")
    with host.occupied(acme, 2000) as running, Connection(host.port) as waiting:
        waiting.send("acme.test", "/echo?id=1", method="POST", body=b"x")  # never given to a busy worker
        set_suspended(host, acme, "true")
        refused = waiting.read_response("POST")
        assert (refused.status, refused.cause) == (503, "RH-SUSPENDED")
        assert running.read_response("POST").status == 200
    host.wait_status("acme/site", lambda s: not s["workers"])


def test_it_survives_every_program_of_ours(host, acme):
    suspend(host, acme)
    end_supervisor(host)
    assert host.status("acme/site")["state"] == "suspended"
    assert host.http("acme.test").cause == "RH-SUSPENDED"
    assert host.status("acme/site")["suspended"] == {"reason": "unpaid since May"}
    [gateway] = host.gateway_pids()
    os.kill(gateway, signal.SIGKILL)
    wait_until(lambda: host.gateway_pids() not in ([], [gateway]), PATIENCE_S, "another gateway")
    for _ in range(20):
        assert host.http("acme.test", "/static/style.css").cause == "RH-SUSPENDED"
    assert host.cli("start", "acme/site").code == 1
    host.stop()
    host.start("globex/site")
    assert host.status("acme/site")["state"] == "suspended"
    assert host.http("acme.test").cause == "RH-SUSPENDED"
    lift(host, acme)
    host.wait_running("acme/site")


def test_a_supervisor_that_dies_at_any_moment_leaves_what_the_file_says(host, acme):
    for word, state in (("true", "suspended"), ("false", "running"), ("{ reason: x }", "suspended")):
        set_suspended(host, acme, word)
        end_supervisor(host)
        host.wait_status("acme/site", lambda s, want=state: s["state"] == want)
    assert host.status("acme/site")["suspended"] == {"reason": "x"}
    lift(host, acme)
    host.wait_running("acme/site")


def test_a_word_that_is_none_changes_nothing(host, acme):
    pids = workers(host)
    set_suspended(host, acme, "unpaid")
    wait_until(lambda: "must be true or false" in host.cli("status").out, PATIENCE_S, "the problem is told")
    assert workers(host) == pids and host.http("acme.test").text == "hello"


def test_one_app_is_suspended_and_the_tenants_others_go_on(host, acme):
    app = "wsgi: probe:application, directory: probe, timeouts: { startup: 60s, graceful: 5s, shutdown: 3s }"
    acme.manifest(f"apps:\n  site: {{ routes: [acme.test], {app} }}\n  blog: {{ routes: [acme.test/blog], {app} }}\n")
    host.wait_running("acme/site")
    host.wait_running("acme/blog")
    pids = workers(host)
    status = suspend(host, acme, "acme/blog", "{ reason: spam, apps: [blog, unheard-of] }")
    assert status["suspended"] == {"reason": "spam"}
    assert host.http("acme.test", "/blog/hello").cause == "RH-SUSPENDED"
    assert host.http("acme.test").text == "hello"
    site = host.status("acme/site")
    assert (site["state"], site["suspended"], workers(host)) == ("running", None, pids)
    refused = host.cli("start", "acme/blog", uid=acme.uid)
    assert refused.code == 1 and "acme/blog is suspended (spam)" in refused.err
    assert host.cli("restart", "acme/site", uid=acme.uid).code == 0
    # Taking it out of the manifest and putting it in again brings nothing back, nor does another supervisor.
    acme.manifest(f"apps:\n  site: {{ routes: [acme.test], {app} }}\n")
    wait_until(lambda: "acme/blog" not in host.cli("status").out, PATIENCE_S, "the app is gone")
    acme.manifest(f"apps:\n  site: {{ routes: [acme.test], {app} }}\n  blog: {{ routes: [acme.test/blog], {app} }}\n")
    host.wait_status("acme/blog", lambda s: s["state"] == "suspended")
    end_supervisor(host)
    assert host.status("acme/blog")["suspended"] == {"reason": "spam"}
    assert host.http("acme.test", "/blog/hello").cause == "RH-SUSPENDED"
    # From one app to the other in one change.
    set_suspended(host, acme, "{ reason: x, apps: [site] }")
    host.wait_status("acme/site", lambda s: s["state"] == "suspended")
    host.wait_running("acme/blog")
    set_suspended(host, acme, "true")
    host.wait_status("acme/blog", lambda s: s["state"] == "suspended")
    lift(host, acme)
    host.wait_running("acme/site")
    host.wait_running("acme/blog")
