"""A failure explains itself: to whom it belongs, from facts, also after the programs that know them have died."""
import os
import signal

import processes
import pytest
from processes import wait_until
from rowhouse_host import PATIENCE_S


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme", workers="2", threads="2", timeouts="{ startup: 60s, request: 2s, graceful: 5s, shutdown: 3s }")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    host.wait_status("acme/site", lambda s: len(host.worker_pids("acme/site")) == 2)
    return tenant


def explain(host, app="acme/site", uid=0):
    answer = host.cli("explain", app, "--json", uid=uid)
    assert answer.code == 0, answer
    return answer.json


def wait_death(host, code, app="acme/site"):
    """The newest death, once it is one of `code` that names the request it had."""
    last = {}

    def ask():
        last["story"] = explain(host, app)
        deaths = last["story"]["deaths"]
        return deaths[0] if deaths and deaths[0]["code"] == code else None

    return wait_until(ask, PATIENCE_S, lambda: f"a {code}: {last}")


def wait_request(host, code, path):
    def ask():
        death = wait_death(host, code)
        return death if path in [r["path"] for r in death["requests"]] else None

    return wait_until(ask, PATIENCE_S, lambda: f"a {code} with {path}: {explain(host)['deaths'][:1]}")


def test_a_crash_is_told_with_its_request_and_the_error_id_leads_there(host, acme):
    host.http(acme.domain, "/say?text=last+words")
    answer = host.http(acme.domain, "/leave?signal=SIGSEGV&secret=1", method="POST", body=b"x")
    identity = answer.header("Rowhouse-Error")
    assert answer.status == 502 and identity in answer.text
    death = wait_request(host, "RH-SIGNAL", "/leave")
    assert death["detail"].startswith("SIGSEGV") and death["was_ready"] and death["pid"] > 1
    [request] = death["requests"]
    assert (request["method"], request["host"], request["phase"]) == ("POST", acme.domain, "started")
    story = host.cli("explain", identity, "--json", uid=acme.uid)
    assert story.code == 0, story
    assert story.json["error"]["request"]["id"] == request["id"] and story.json["death"]["pid"] == death["pid"]
    assert "secret" not in story.out
    words = host.cli("explain", identity, uid=acme.uid).out
    assert "502 RH-WORKER-GONE" in words and "RH-SIGNAL SIGSEGV" in words and "Fix: " in words


def test_another_tenants_error_and_app_are_as_absent_as_unknown_ones(host, acme):
    identity = host.http(acme.domain, "/leave?status=3", method="POST", body=b"x").header("Rowhouse-Error")
    wait_until(lambda: host.cli("explain", identity, uid=acme.uid).code == 0, PATIENCE_S, "the owner sees it")
    globex = host.tenants["globex"].uid
    foreign, unknown = host.cli("explain", identity, uid=globex), host.cli("explain", "0" * 16, uid=globex)
    assert foreign.code == unknown.code == 3
    assert foreign.err.replace(identity, "0" * 16) == unknown.err
    assert host.cli("explain", "acme/site", uid=globex).code == 3
    assert host.cli("explain", identity).code == 0  # root


def test_an_exit_has_its_status_and_what_was_written_last(host, acme):
    acme.put("probe/leaving.py", "import os, sys\n\n\ndef application(environ, start_response):\n"
             "    print('cannot go on:', environ['PATH_INFO'], file=sys.stderr, flush=True)\n    os._exit(7)\n")
    host.set_probe(acme, wsgi="leaving:application")
    assert host.cli("restart", "acme/site").code == 0
    assert host.http(acme.domain, "/here").status == 502
    death = wait_request(host, "RH-EXIT", "/here")
    assert death["detail"] == "7" and death["stderr"][-1] == "cannot go on: /here"
    assert "| cannot go on: /here" in host.cli("explain", "acme/site").out


def test_a_failed_import_is_told_with_step_exception_and_place_and_what_visitors_get(host):
    host.gateways = 1
    tenant = host.add_probe("acme")
    tenant.put("probe/probe.py", "import os\n\nimport no_such_module\n")
    host.start()
    story = wait_until(lambda: [s for s in [explain(host)] if s["state"] == "backoff" and s["deaths"]], PATIENCE_S,
                       "backoff")[0]
    death = story["deaths"][0]
    assert (death["code"], death["step"], death["was_ready"]) == ("RH-IMPORT", "import module", False)
    assert death["exception"] == "ModuleNotFoundError: No module named 'no_such_module'"
    assert death["where"].endswith("/probe/probe.py line 3")
    assert story["last_good_start"] is None and story["retry_in_ms"] > 0
    assert story["visitors"]["code"] == "RH-BACKOFF" and story["visitors"]["served"] is False
    words = wait_until(lambda: [w for w in [host.cli("explain", "acme/site", uid=tenant.uid).out] if "is backoff" in w],
                       PATIENCE_S, "words about the backoff")[0]  # between its tries
    for part in ("acme/site is backoff", "RH-IMPORT import module", "No module named 'no_such_module'", "probe.py line 3",
                 "Next try in", "Visitors get 503 RH-BACKOFF, Retry-After:", "Fix: Install the module"):
        assert part in words, words


def test_a_request_over_its_time_is_named(host, acme):
    answer = host.http(acme.domain, "/echo?id=1&ms=60000", method="POST", body=b"x")
    assert answer.status == 504
    death = wait_request(host, "RH-REQUEST-TIMEOUT", "/echo")
    assert death["requests"][0]["running_ms"] >= 1900
    answer = host.cli("explain", answer.header("Rowhouse-Error"), "--json", uid=acme.uid)
    assert answer.json["death"]["code"] == "RH-REQUEST-TIMEOUT"


def test_a_forbidden_system_call_is_named(host, acme):
    acme.put("probe/calling.py", "import ctypes\n\n\ndef application(environ, start_response):\n"
             "    ctypes.CDLL(None).swapoff(b'x')\n")
    host.set_probe(acme, wsgi="calling:application")
    assert host.cli("restart", "acme/site").code == 0
    assert host.http(acme.domain, "/call").status == 502
    assert wait_request(host, "RH-SECCOMP", "/call")["detail"].startswith("swapoff")


def test_out_of_memory_has_limit_usage_and_request(host):
    host.gateways = 1
    tenant = host.add_probe("acme", limits="{ memory: 96M }")
    tenant.put("probe/holding.py", "def application(environ, start_response):\n    return [b'x' * (200 << 20)]\n")
    host.set_probe(tenant, wsgi="holding:application", limits="{ memory: 96M }")
    host.start("acme/site")
    assert host.http(tenant.domain, "/hold").status == 502
    death = wait_request(host, "RH-OOM", "/hold")
    assert death["memory"]["limit_of"] == "app" and death["memory"]["limit_bytes"] == 96 << 20
    assert 60 << 20 < death["memory"]["bytes"] <= 100 << 20
    events = host.cli("events", "acme/site", "--json", uid=tenant.uid).json["events"]
    [hit] = [e for e in events if e["type"] == "limit_hit"]
    assert (hit["limit"], hit["limit_of"], hit["value"]) == ("memory", "app", 96 << 20)


def test_stories_and_ids_survive_control_and_rowhoused(host, acme):
    identity = host.http(acme.domain, "/leave?status=3", method="POST", body=b"x").header("Rowhouse-Error")
    death = wait_request(host, "RH-EXIT", "/leave")
    wait_until(lambda: host.cli("explain", identity).code == 0, PATIENCE_S, "the id is known")
    # What has been read once has been written: the id is on disk within a moment.
    errors = host.directory / "logs" / "apps" / "_history" / "acme" / "_errors.jsonl"
    wait_until(lambda: errors.exists() and identity in errors.read_text(), PATIENCE_S, "the id is on disk")
    [control] = [p.pid for p in processes.processes_of_uids([host.control_uid])]
    os.kill(control, signal.SIGKILL)
    wait_until(lambda: host.cli("status").code == 0, PATIENCE_S, "control is back")
    assert [d["pid"] for d in explain(host)["deaths"]].count(death["pid"]) == 1
    assert host.stop()[0] == 0
    host.start("acme/site")
    assert death["pid"] in [d["pid"] for d in explain(host)["deaths"]]
    assert host.cli("explain", identity, uid=acme.uid).code == 0


def test_a_death_that_nobody_could_be_told_is_told_to_the_next_control(host, acme):
    [control] = [p.pid for p in processes.processes_of_uids([host.control_uid])]
    victim = host.worker_pids("acme/site")[0]
    os.kill(control, signal.SIGSTOP)  # what it is told now it never stores
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: processes.read_process(victim) is None, PATIENCE_S, "the worker has gone")
    host.http(acme.domain)
    os.kill(control, signal.SIGKILL)
    wait_until(lambda: host.cli("status").code == 0, PATIENCE_S, "control is back")
    wait_until(lambda: victim in [d.get("pid") for d in explain(host)["deaths"]], PATIENCE_S, "the death")
    assert [d.get("pid") for d in explain(host)["deaths"]].count(victim) == 1


def test_a_stopped_app_says_so(host, acme):
    assert host.cli("stop", "acme/site", uid=acme.uid).code == 0
    story = explain(host, uid=acme.uid)
    assert story["state"] == "stopped" and story["visitors"]["code"] == "RH-STOPPED"
    assert [e["order"] for e in story["events"] if e["type"] == "ordered"] == ["stop"]
    assert host.cli("explain", "acme/nothing").code == 3
    assert host.cli("explain", "acme").code == 2
