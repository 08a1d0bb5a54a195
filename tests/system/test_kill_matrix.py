"""Every process of Rowhouse dies, is broken or hangs, whatever is going on: no request runs twice, what was
acknowledged has run, bodies are whole, and everything comes back.  Here a sample; tests/chaos/kills has the whole."""
import itertools
import os
import signal
import threading
import time

import processes
import pytest
from processes import wait_until
from recording import RecordingLoad
from rowhouse_host import APPS
from supervisors import groups_of, supervisor_pid

TARGETS = ("supervisor", "gateway", "control", "steward", "worker", "app")
HOWS = ("SIGKILL", "SIGSEGV", "SIGSTOP")
SITUATIONS = ("idle", "load", "restart", "configuration")
SAMPLE = [("supervisor", "SIGKILL", "restart"), ("supervisor", "SIGSEGV", "configuration"),
          ("gateway", "SIGKILL", "load"), ("worker", "SIGKILL", "load"), ("app", "SIGKILL", "idle")]
WHOLE = list(itertools.product(TARGETS, HOWS, SITUATIONS))
MATRIX = WHOLE if os.environ.get("ROWHOUSE_MATRIX") == "whole" else SAMPLE
STOPPED_S = 20
# Whose death may cost the requests that it had; the others may cost none.
MAY_COST = {"supervisor": set(), "control": set(), "gateway": {"cut"}, "worker": {502, "cut"},
            "steward": {502, 503, 504, "cut"}, "app": {502, 503, 504, "cut"}}


@pytest.fixture
def acme(host):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / "ledger", "ledger")
    host.set_probe(tenant, wsgi="ledger:application", directory="ledger", workers="{ min: 2, max: 2 }", threads="4")
    host.start("acme/site")
    return tenant


def pids_of(host, target):
    workers = host.worker_pids("acme/site")
    if target == "supervisor":
        return [supervisor_pid(host)]
    if target == "gateway":
        return host.gateway_pids()[:1]
    if target == "control":
        return [p.pid for p in processes.children(host.daemon.pid)
                if (processes.uids_of(p.pid) or [0])[0] == host.control_uid]
    if target == "steward":
        return [processes.read_process(workers[0]).parent]
    if target == "worker":
        return workers[:1]
    return [p.pid for p in processes.processes_of_uids([host.tenants["acme"].uid])]


def strike(host, target, how):
    """Does it; a stopped process is let go after its time, if it still is there."""
    number = getattr(signal, how)
    struck = [processes.read_process(pid) for pid in pids_of(host, target)]
    for process in struck:
        if process and process.is_alive():
            os.kill(process.pid, number)
    if number != signal.SIGSTOP:
        return
    deadline = time.monotonic() + STOPPED_S
    wait_until(lambda: time.monotonic() > deadline or not any(p.is_alive() for p in struck if p), STOPPED_S + 5, "time")
    for process in struck:
        if process and process.is_alive():
            os.kill(process.pid, signal.SIGCONT)


def in_background(situation, host):
    """What goes on meanwhile; its outcome is no matter here, only that it ends."""
    if situation == "restart":
        return threading.Thread(target=lambda: host.cli("restart", "acme/site", timeout=120))
    if situation == "configuration":
        def change():
            host.plans = host.plans.replace("memory: 512M", "memory: 600M")
            host.write_config()
            host.cli("reload", timeout=120)
        return threading.Thread(target=change)
    return None


@pytest.mark.parametrize("target, how, situation", MATRIX)
def test_nothing_is_lost_that_was_promised(host, acme, target, how, situation):
    load = RecordingLoad(host.port, acme.domain, rate=30 if situation == "idle" else 300)
    with load:
        load.wait_for(20)
        going_on = in_background(situation, host)
        if going_on:
            going_on.start()
        began = time.monotonic()
        strike(host, target, how)
        load.wait_for(50, 120)
        if going_on:
            going_on.join(150)
            assert not going_on.is_alive(), "what went on has ended"
        wait_until(lambda: host.cli("status", "--json").code == 0, 60, "the API answers")
        host.wait_status("acme/site", lambda s: s["state"] == "running" and
                         [w["state"] for w in s["workers"]] == ["ready", "ready"], 120)
        recovered = time.monotonic() - began
        load.wait_for(50, 60)
    host.note_processes()
    print(f"{target} {how} {situation}: {dict(load.counts)}, silent for {load.longest_silence():.2f} s at most, "
          f"all as before after {recovered:.1f} s")
    assert load.broken_promises(acme.home / "ledger") == []
    cost = {outcome for outcome in load.counts if outcome != 200}
    assert cost <= MAY_COST[target], load.counts
    wait_until(lambda: len(groups_of(host)) == 1, 30, lambda: f"one generation: {groups_of(host)}")
