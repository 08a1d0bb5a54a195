"""Whatever dies comes back, and what died is told."""
import os
import re
import signal
import time

import processes
import pytest
from http_client import Connection, CutResponse
from load import Load
from processes import wait_until
from rowhouse_host import SLOW
from wrk import Wrk


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme", workers="{ min: 2, max: 2 }", threads="2")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    host.wait_status("acme/site", lambda s: len(host.worker_pids("acme/site")) == 2)
    return tenant


def kill(pid):
    os.kill(pid, signal.SIGKILL)


def new_worker(host, old):
    """Waits until two workers are ready of which none is `old`."""
    return host.wait_status("acme/site", lambda s: old not in [w["pid"] for w in s["workers"]]
                            and len([w for w in s["workers"] if w["state"] == "ready"]) == 2)


@pytest.mark.needs("wrk")
def test_killing_a_worker_under_load_loses_no_truth(host, acme):
    with Wrk(host.port, acme.domain, connections=16, seconds=5) as wrk, Load(host.port, acme.domain, 8) as load:
        load.wait_for(50)
        victim = host.worker_pids("acme/site")[0]
        kill(victim)
        status = new_worker(host, victim)
        load.wait_for(50)
    assert load.wrong == []
    assert set(load.counts) <= {200, 502, "cut"}, load.counts
    assert wrk.requests > 100, wrk.text
    assert status["restarts"] >= 1
    assert status["last_exit"]["code"] == "RH-SIGNAL"
    assert status["last_exit"]["detail"].startswith("SIGKILL")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", status["last_exit"]["at"])


@pytest.mark.sanitized
def test_ten_killed_workers_leave_every_answer_whole_or_visibly_not(host, acme):
    with Load(host.port, acme.domain, 16) as load:
        for _ in range(10):
            load.wait_for(20, 40)
            pids = host.worker_pids("acme/site")
            if pids:
                kill(pids[0])
        load.wait_for(20, 60)
    assert load.wrong == []
    assert set(load.counts) <= {200, 502, 503, "cut"}, load.counts


def test_a_request_in_a_worker_that_dies_before_its_head_gets_502_with_a_cause(host, acme):
    answer = host.http(acme.domain, "/leave?status=3", method="POST", body=b"x")
    assert answer.status == 502
    assert answer.cause == "RH-WORKER-GONE"
    assert answer.header("Rowhouse-Error")
    status = host.wait_status("acme/site", lambda s: s["last_exit"])
    assert status["last_exit"]["code"] == "RH-EXIT" and status["last_exit"]["detail"].startswith("3")


def test_a_response_cut_by_its_workers_death_is_visibly_cut(host, acme):
    with Connection(host.port) as connection:
        connection.send(acme.domain, "/echo?id=1&size=50000000&mode=stream")
        assert connection.read_head().status == 200
        for pid in host.worker_pids("acme/site"):
            kill(pid)
        with pytest.raises(CutResponse):
            for _ in connection.chunks():
                pass


def test_a_body_that_fails_in_the_app_is_visibly_cut(host, acme):
    with pytest.raises(CutResponse):
        host.http(acme.domain, "/cut")
    assert host.http(acme.domain).status == 200


def test_the_neighbour_of_a_dying_app_does_not_notice(host, acme):
    with Load(host.port, "globex.test", 4) as load:
        for _ in range(6):
            host.http(acme.domain, "/leave?signal=SIGSEGV", method="POST", body=b"x")
            load.wait_for(20)
    assert set(load.counts) == {200} and load.wrong == []
    status = host.wait_status("acme/site", lambda s: s["last_exit"])
    assert status["last_exit"]["code"] == "RH-SIGNAL" and status["last_exit"]["detail"].startswith("SIGSEGV")


def test_an_app_that_dies_again_and_again_is_backed_off_with_retry_after(host, acme):
    def backed_off():
        answer = host.http(acme.domain, "/leave?status=1", method="POST", body=b"x")
        return answer if answer.status == 503 else None

    answer = wait_until(backed_off, 30, "a 503 of an app in backoff")
    assert answer.cause == "RH-BACKOFF"
    assert int(answer.header("Retry-After")) >= 1
    wait_until(lambda: host.http(acme.domain).status == 200, 90, "the app comes back by itself")


@pytest.mark.sanitized
def test_a_killed_gateway_is_replaced_within_a_second_and_the_workers_stay(host, acme):
    workers = sorted(host.worker_pids("acme/site"))
    host.http(acme.domain)
    [gateway] = host.gateway_pids()
    with Load(host.port, acme.domain, 16) as load:
        load.wait_for(50)
        began = time.monotonic()
        kill(gateway)
        wait_until(lambda: load.answered_at and load.answered_at[-1] > began + 0.001
                   and [p for p in host.gateway_pids() if p != gateway], 5, "answers after the gateway's death")
        load.wait_for(100)
    assert load.wrong == []
    assert set(load.counts) <= {200, 502, "cut", "refused"}, load.counts
    assert load.longest_silence() < (10 if SLOW else 1)
    assert sorted(host.worker_pids("acme/site")) == workers


def test_every_gateway_may_die_and_the_channels_are_made_anew(host, acme):
    for _ in range(3):
        for pid in host.gateway_pids():
            kill(pid)
        wait_until(lambda: host.http(acme.domain).status == 200, 5, "an answer through a new gateway")
        assert host.http("globex.test").status == 200


def test_killed_control_comes_back_and_nothing_else_notices(host, acme):
    [control] = [p.pid for p in processes.processes_of_uids([host.control_uid])]
    with Load(host.port, acme.domain, 4) as load:
        load.wait_for(20)
        kill(control)
        wait_until(lambda: host.cli("status", "--json").code == 0, 10, "control answers again")
        load.wait_for(20)
    assert set(load.counts) == {200} and load.wrong == []


def test_a_killed_steward_takes_its_sandbox_along_and_the_app_comes_back(host, acme):
    worker = host.worker_pids("acme/site")[0]
    steward = processes.read_process(worker).parent
    assert processes.uids_of(steward) == [acme.uid] * 4
    kill(steward)
    host.wait_status("acme/site", lambda s: len([w for w in s["workers"] if w["state"] == "ready"]) == 2
                     and worker not in [w["pid"] for w in s["workers"]])
    assert host.http(acme.domain).status == 200
    # Told as what it was, and not as a sandbox that could not be made.
    told = [e for e in host.cli("events", "acme/site", "--json").json["events"] if e["type"] == "died"]
    assert {(e["code"], e["detail"]) for e in told} == {("RH-SIGNAL", "SIGKILL")}, told
    assert 0 in [e["worker"] for e in told] and worker in [e.get("pid") for e in told], told


SUPERVISOR = "rowhoused-super"


def supervisor_pid(host):
    [child] = [p.pid for p in processes.children(host.daemon.pid) if p.name == SUPERVISOR]
    return child


# ASan reports a SIGSEGV, whoever sends it.
@pytest.mark.parametrize("number", [pytest.param(signal.SIGKILL, marks=pytest.mark.sanitized), signal.SIGSEGV])
def test_a_killed_supervisor_is_replaced_and_no_site_notices(host, acme, number):
    old = supervisor_pid(host)
    before = host.status("acme/site")
    os.kill(old, number)
    wait_until(lambda: [p.pid for p in processes.children(host.daemon.pid) if p.name == SUPERVISOR] not in ([], [old]),
               10, "the keeper starts another supervisor")
    wait_until(host.answers, 20, "control answers again")
    for app in ("acme/site", "globex/site"):
        host.wait_running(app)
    after = host.status("acme/site")
    assert after["generation"] == before["generation"]
    assert [w["pid"] for w in after["workers"]] == [w["pid"] for w in before["workers"]]
    for domain in (acme.domain, "globex.test"):
        assert host.http(domain).status == 200
    host.note_processes()
