"""The stream of events: what happened, to whom it may be told, from any number on."""
import json
import os
import signal
import subprocess

import processes
import pytest
from processes import wait_until
from rowhouse_host import BUILD, PATIENCE_S


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    return tenant


def events(host, *arguments, uid=0):
    answer = host.cli("events", "--json", "-n", "1000", *arguments, uid=uid)
    assert answer.code == 0, answer
    return answer.json["events"]


def wait_event(host, kind, *arguments, uid=0):
    def find():
        return [e for e in events(host, *arguments, uid=uid) if e["type"] == kind]

    return wait_until(find, PATIENCE_S, lambda: f"{kind} among {events(host, *arguments, uid=uid)}")[-1]


@pytest.mark.sanitized
def test_the_life_of_an_app_is_told_in_order(host, acme):
    assert host.cli("restart", "acme/site", uid=acme.uid).code == 0
    os.kill(host.worker_pids("acme/site")[0], signal.SIGKILL)
    died = wait_event(host, "died", "acme/site")
    assert (died["code"], died["detail"]) == ("RH-SIGNAL", "SIGKILL")
    told = [e["type"] for e in events(host, "acme/site", "--since", "0")]
    ordered = told.index("ordered")
    assert told[:2] == ["starting", "ready"] and told[ordered:ordered + 4] == ["ordered", "restarting", "starting", "ready"]
    assert "ended" in told and told[-1] != "starting"
    by = [e["uid"] for e in events(host, "acme/site") if e["type"] == "ordered"]
    assert by == [acme.uid]


def test_a_tenant_sees_its_own_events_and_root_all(host, acme):
    wait_event(host, "ready", "globex/site")
    wait_event(host, "ready", "acme/site")
    assert {e.get("tenant") for e in events(host, uid=acme.uid)} == {"acme"}
    assert {"acme", "globex"} <= {e.get("tenant") for e in events(host)}
    assert host.cli("events", "globex/site", uid=acme.uid).code == 3
    assert host.cli("events", uid=host.gateway_uid).code == 4


def test_a_gateway_and_control_that_die_are_told_to_root_alone(host, acme):
    [gateway] = host.gateway_pids()
    os.kill(gateway, signal.SIGSEGV)
    died = wait_event(host, "gateway_died")
    assert (died["code"], died["detail"], died["pid"], died["gateway"]) == ("RH-SIGNAL", "SIGSEGV", gateway, 0)
    [control] = [p.pid for p in processes.processes_of_uids([host.control_uid])]
    os.kill(control, signal.SIGKILL)
    wait_until(lambda: host.cli("status").code == 0, PATIENCE_S, "control is back")
    died = wait_event(host, "control_died")
    assert (died["code"], died["pid"]) == ("RH-SIGNAL", control)
    assert not [e for e in events(host, uid=acme.uid) if e["type"].endswith("_died")]
    wait_until(lambda: host.http(acme.domain).status == 200, PATIENCE_S, "the site answers")


def test_numbers_go_on_after_a_restart_and_nothing_is_told_twice(host, acme):
    before = events(host)
    assert host.stop()[0] == 0
    host.start("acme/site")
    wait_event(host, "ready", "acme/site", "--since", str(before[-1]["id"]))
    after = events(host)
    ids = [e["id"] for e in after]
    assert ids == sorted(set(ids)) and [e["id"] for e in before] == ids[:len(before)]


def test_following_shows_what_happens_now(host, acme):
    with subprocess.Popen([BUILD / "rowhouse", "--socket", host.socket_path, "events", "-f", "--json", "acme/site"],
                          stdout=subprocess.PIPE, text=True, cwd="/", user=acme.uid, group=acme.uid,
                          extra_groups=[]) as following:
        assert json.loads(following.stdout.readline())["type"] == "starting"
        assert host.cli("stop", "acme/site").code == 0
        for line in following.stdout:
            if json.loads(line)["type"] == "stopped":
                break
        else:
            raise AssertionError("the stream ended without the event")
        following.terminate()


def test_a_failed_restart_is_told_as_degraded(host, acme):
    acme.put("probe/probe.py", "import no_such_module\n")
    assert host.cli("restart", "acme/site").code == 1
    degraded = wait_event(host, "degraded", "acme/site", uid=acme.uid)
    assert degraded["code"] == "RH-IMPORT" and "no_such_module" in degraded["detail"]
    shown = host.cli("events", "acme/site").out
    assert " acme/site degraded " in shown
