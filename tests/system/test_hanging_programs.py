"""Rowhouse's own programs that hang instead of dying: the supervisor notices, ends them and starts others."""
import contextlib
import os
import pathlib
import signal
import time

import processes
import pytest
from control_process import control_pids
from processes import wait_until

# Seconds without an answer before the kill: a gateway that is not ready and control; see docs/architecture.md.
BOUND_S = 11
LOADED_S = 15  # further, of a machine that builds at the same time


@contextlib.contextmanager
def urgent():
    """The newborn is caught before it has run far, also on a busy machine."""
    former = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, former)


def children_of_keeper(host):
    keeper = host.daemon.pid
    return {int(pid) for pid in pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()}


def stop_next_gateway(host, known):
    """Stops the next gateway as soon as it has its user, long before it is ready; its pid."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for pid in children_of_keeper(host) - known:
            if (processes.uids_of(pid) or [0])[0] == host.gateway_uid:
                os.kill(pid, signal.SIGSTOP)
                return pid
        time.sleep(0.0005)  # so urgent, it would keep everybody else from running
    raise AssertionError(f"no further gateway; log:\n{host.log[-3000:]}")


def host_deaths(host, kind):
    return {event["pid"]: event["code"] for event in host.cli("events", "--json", "-n", "1000").json["events"]
            if event["type"] == kind}


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme")
    host.start("acme/site")
    return tenant


def test_control_and_a_gateway_that_is_not_ready_are_replaced_when_they_hang(host, acme):
    workers, [gateway], [control] = host.worker_pids("acme/site"), host.gateway_pids(), control_pids(host)
    known = children_of_keeper(host)
    began = time.monotonic()
    os.kill(control, signal.SIGSTOP)
    with urgent():
        os.kill(gateway, signal.SIGKILL)
        hung = stop_next_gateway(host, known)
    wait_until(lambda: host.gateway_pids() not in ([], [hung]) and control_pids(host) not in ([], [control]),
               BOUND_S + LOADED_S, lambda: f"another gateway and another control; log:\n{host.log[-3000:]}")
    print(f"both replaced after {time.monotonic() - began:.1f} s")
    host.note_processes()
    assert host.http(acme.domain).text == "hello"
    assert host.worker_pids("acme/site") == workers
    # Each was ended for what it was: the gateway never was one that is ready and owes an answer.
    assert "a gateway does not become ready" in host.log and "control does not answer" in host.log
    assert host_deaths(host, "control_died") == {control: "RH-UNRESPONSIVE"}
    assert host_deaths(host, "gateway_died") == {gateway: "RH-SIGNAL", hung: "RH-UNRESPONSIVE"}


def test_a_gateway_that_dies_while_its_successor_starts_leaves_no_gateway_too_many(host, acme):
    [gateway], known = host.gateway_pids(), children_of_keeper(host)
    upgrade = host.cli_begin("upgrade")
    wait_until(lambda: "replacing the supervisor" in host.log, 30, "the upgrade has begun")
    with urgent():
        successor = stop_next_gateway(host, known)
    os.kill(gateway, signal.SIGKILL)
    # Nobody waits for a successor that may never be ready.
    wait_until(lambda: set(host.gateway_pids()) - {gateway, successor}, 10, "one in the place of the dead one")
    assert host.http(acme.domain).text == "hello"
    os.kill(successor, signal.SIGCONT)
    assert upgrade.wait(60) == 0, host.log[-3000:]
    wait_until(lambda: len(host.gateway_pids()) == 1, 10, lambda: f"one gateway: {host.gateway_pids()}")
    host.note_processes()
    assert host.http(acme.domain).text == "hello"
    wait_until(host.answers, 20, "the API answers")
