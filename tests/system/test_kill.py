"""A stop ends: whatever an app does, nothing of it is left within the deadline, and its cgroup is gone."""
import os
import pathlib
import signal
import time

import greedy
import processes
import pytest
from greedy import ask
from processes import wait_until

# graceful and shutdown of the manifest, and what the kernel needs for a sandbox full of processes.
DEADLINE_S = 1 + 10


@pytest.fixture(params=["as this host has it", pytest.param("without cgroup.kill", marks=pytest.mark.needs("cgroup1"))])
def acme(host, request, tmp_path):
    """The tenant.  Without cgroup.kill: rowhoused runs where no cgroup2 tree is mounted, so that the v1 freezer must
    do; only hosts with v1 controllers can be made to look like that."""
    if request.param == "without cgroup.kill":
        hide_unified_tree(host, tmp_path)
    host.gateways = 1
    tenant = greedy.add(host)
    host.start("acme/site")
    if request.param == "without cgroup.kill":
        assert "cgroup-kill" in host.status("acme/site")["sandbox"]["missing"]
    return tenant


def hide_unified_tree(host, directory):
    [unified] = processes.cgroup_mounts("")
    program = directory / "rowhoused-without-cgroup2"
    program.write_text(f'#!/bin/sh\numount {unified} && exec {greedy.BUILD / "rowhoused"} "$@"\n')
    program.chmod(0o755)
    host.command = ["unshare", "--mount", str(program)]


def generation_groups(host):
    return [path for path in greedy.all_groups(host) if path.name.startswith("g") and path.parent.name.startswith("a-")]


def stop_and_look(host, tenant):
    """Stops the app; then nothing of the tenant's may run and no generation's cgroup may be there."""
    host.note_processes()
    assert generation_groups(host)
    began = time.monotonic()
    answer = host.cli("stop", "acme/site")
    took = time.monotonic() - began
    assert answer.code == 0, answer
    assert took < DEADLINE_S, took
    assert processes.processes_of_uids([tenant.uid]) == []
    assert generation_groups(host) == []
    assert host.status("acme/site")["state"] == "stopped"


def start_again(host, tenant):
    assert host.cli("start", "acme/site").code == 0
    assert ask(host, tenant, "/hello") == "hello"


def test_an_idle_app_is_gone_after_a_stop_and_starts_again(host, acme):
    stop_and_look(host, acme)
    start_again(host, acme)


def test_a_fork_bomb_is_gone_after_a_stop(host, acme):
    pid = host.worker_pids("acme/site")[0]
    ask(host, acme, "/bomb")
    group = greedy.tenant_group(pid, "pids")
    wait_until(lambda: int(greedy.read(group, "pids.current")) >= 120, 20, "the bomb fills the plan")
    stop_and_look(host, acme)
    start_again(host, acme)


def test_a_fork_bomb_that_goes_off_during_the_stop_is_gone_too(host, acme):
    """It goes off in the middle of the graceful time, and the request that set it off is the one being waited for."""
    pid = host.worker_pids("acme/site")[0]
    group = greedy.tenant_group(pid, "pids")
    bomb = pathlib.Path(acme.home / "bomb.py")
    acme.put("greedy/later.py", "import os, sys, time\n"
             "while not os.path.exists(sys.argv[1]):\n    time.sleep(0.001)\n"
             "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n")
    ask(host, acme, f"/run?script=later.py&argument={bomb}")
    host.note_processes()
    stopping = host.cli_begin("stop", "acme/site")
    wait_until(lambda: [w for w in host.status("acme/site")["workers"] if w["state"] != "ready"]
               or host.status("acme/site")["state"] == "stopped", 20, "the stop has begun")
    bomb.write_text("now")
    assert stopping.wait(DEADLINE_S + 10) == 0
    assert processes.processes_of_uids([acme.uid]) == []
    assert not group.exists() or int(greedy.read(group, "pids.current")) == 0
    assert generation_groups(host) == []


def test_a_double_forked_daemon_that_ignores_sigterm_is_gone_after_a_stop(host, acme):
    mark = acme.home / "mark"
    ask(host, acme, f"/daemon?mark={mark}")
    wait_until(mark.exists, 20, "the daemon runs")
    assert len(processes.processes_of_uids([acme.uid])) >= 3
    stop_and_look(host, acme)


def test_a_daemon_does_not_outlive_the_worker_that_left_it_behind(host, acme):
    mark = acme.home / "mark"
    ask(host, acme, f"/daemon?mark={mark}")
    wait_until(mark.exists, 20, "the daemon runs")
    worker = host.worker_pids("acme/site")[0]
    mine = set(greedy.directory(worker, "pids").joinpath("cgroup.procs").read_text().split())
    assert len(mine) >= 2
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not [pid for pid in mine if processes.read_process(int(pid))], 20, "its whole leaf is gone")


def test_stopped_processes_are_gone_after_a_stop(host, acme):
    pid = host.worker_pids("acme/site")[0]
    ask(host, acme, "/stop_all")
    wait_until(lambda: processes.read_process(pid).state == "T", 20, "the worker is stopped")
    stop_and_look(host, acme)


@pytest.mark.parametrize("level", ["leaf", "generation", "tenant"])
def test_a_frozen_cgroup_is_thawed_for_the_kill(host, acme, level):
    pid = host.worker_pids("acme/site")[0]
    leaf = freezer_directory(pid)
    group = {"leaf": leaf, "generation": leaf.parent, "tenant": leaf.parent.parent.parent}[level]
    assert group.name.startswith({"leaf": "w", "generation": "g", "tenant": "t-"}[level])
    freeze(group)
    stop_and_look(host, acme)
    start_again(host, acme)


def freezer_directory(pid):
    try:
        return greedy.directory(pid, "freezer")
    except AssertionError:
        return greedy.directory(pid, "memory")


def freeze(group):
    if (group / "freezer.state").exists():
        (group / "freezer.state").write_text("FROZEN")
        wait_until(lambda: (group / "freezer.state").read_text().strip() == "FROZEN", 20, "frozen")
    else:
        (group / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in (group / "cgroup.events").read_text(), 20, "frozen")
