"""What a supervisor that takes over must know beyond what runs: who sleeps, who was healthy, who was leaving, and which
files have changed while nobody looked."""
import os
import signal

import processes
from processes import wait_until
from rowhouse_host import PATIENCE_S
from supervisors import end_supervisor, groups_of, supervisor_pid, workers


def test_files_that_change_without_a_supervisor_are_noticed_and_nobody_else_is_touched(host):
    acme, gone = host.add_probe("acme"), host.add_probe("gone")
    host.start("acme/site", "gone/site")
    before = workers(host)
    os.kill(supervisor_pid(host), signal.SIGSTOP)
    globex = host.add_probe("globex")
    (host.directory / "tenants.d" / "gone.yaml").unlink()
    acme.domains.append("acme.shop")
    host.register(acme)
    host.set_probe(acme, routes="[acme.test, acme.shop]")
    end_supervisor(host)
    for domain in (globex.domain, "acme.shop"):
        wait_until(lambda domain=domain: host.http(domain).status == 200, PATIENCE_S, f"{domain} is served")
    wait_until(lambda: host.status("gone/site") is None, PATIENCE_S, "the tenant without a file has gone")
    assert processes.processes_of_uids([gone.uid]) == []
    assert workers(host) == before
    # What is changed from now on is noticed as ever, and known to the next one.
    host.set_probe(acme)
    wait_until(lambda: host.http("acme.shop").status == 421, PATIENCE_S, "the route is gone")
    end_supervisor(host)
    assert host.http("acme.shop").status == 421 and host.http(acme.domain).status == 200
    assert workers(host) == before


def test_an_app_that_sleeps_sleeps_on_and_wakes(host):
    acme = host.add_probe("acme", workers="{ min: 0, max: 2 }")
    host.start()
    host.wait_status("acme/site", lambda s: s["state"] == "idle")
    end_supervisor(host)
    assert host.status("acme/site")["state"] == "idle"
    # A loader may be reading its manifest.
    wait_until(lambda: processes.processes_of_uids([acme.uid]) == [], PATIENCE_S, "nothing of it runs")
    assert host.status("acme/site")["state"] == "idle"
    assert host.http(acme.domain).text == "hello"
    before = workers(host)
    end_supervisor(host)
    assert host.http(acme.domain).text == "hello" and workers(host) == before


def test_workers_that_were_healthy_are_trusted_and_asked_again(host):
    acme = host.add_probe("acme", workers="{ min: 2, max: 2 }", health="{ path: /hello, interval: 1s }")
    host.start("acme/site")
    host.wait_status("acme/site", lambda s: [w["state"] for w in s["workers"]] == ["ready", "ready"])
    before = workers(host)
    end_supervisor(host)
    assert host.status("acme/site")["state"] == "running" and workers(host) == before
    # The next generation is asked by the new supervisor, and takes over.
    assert host.cli("restart", "acme/site").code == 0
    assert host.http(acme.domain).text == "hello" and not set(workers(host)) & set(before)
    wait_until(lambda: len(groups_of(host)) == 1, PATIENCE_S, lambda: f"one generation: {groups_of(host)}")


def test_an_app_that_was_leaving_leaves_and_is_not_started_again(host):
    acme = host.add_tenant("acme", domains=["acme.test", "b.test"])
    acme.copy(host.probe_source, "probe")
    app = ("  {0}: {{ routes: [{1}], wsgi: 'probe:application', directory: probe, "
           "timeouts: {{ startup: 60s, graceful: 20s, shutdown: 1s }} }}\n")
    acme.manifest("apps:\n" + app.format("shop", "acme.test") + app.format("site", "b.test"))
    host.start("acme/site", "acme/shop")
    site = workers(host)
    with host.occupied(acme, 3000) as connection:
        acme.manifest("apps:\n" + app.format("site", "b.test"))
        wait_until(lambda: host.http("acme.test").status == 421, PATIENCE_S, "shop has no route")
        end_supervisor(host)
        assert host.cli("reload", "acme").code == 0  # the manifest has been read again: nothing new in it
        assert connection.read_response("POST").status == 200
    wait_until(lambda: host.status("acme/shop") is None, PATIENCE_S, "shop has gone")
    assert workers(host) == site
    assert [group for group in groups_of(host) if "/a-shop/" in group] == []
