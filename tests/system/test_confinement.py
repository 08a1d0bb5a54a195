"""Somebody else meddles with the cgroups of an app: it is found out, the app ended and started in good ones."""
import os
import pathlib

import greedy
import pytest
from greedy import ask
from processes import wait_until
from rowhouse_host import APPS

MEBIBYTE = 1 << 20
CONTROLLERS = ("memory", "pids", "cpu")


@pytest.fixture
def acme(host):
    host.gateways = 1
    greedy.set_plan(host, memory="256M", cpu="100%", pids="64")
    tenant = greedy.add(host)
    host.start("acme/site")
    return tenant


def top_of(group):
    """The root of the hierarchy that a group is in."""
    return next(path for path in group.parents if not (path.parent / "cgroup.procs").exists())


def move_out(group):
    """Everything in the group and below it goes to the root of the hierarchy, as CVE-2020-27352 had systemd do."""
    for directory, _, _ in os.walk(group):
        for pid in pathlib.Path(directory, "cgroup.procs").read_text().split():
            (top_of(group) / "cgroup.procs").write_text(pid)


def remove(group):
    move_out(group)
    for directory, _, _ in os.walk(group, topdown=False):
        os.rmdir(directory)


def take_controllers_away(group):
    """cgroup v2: the group keeps its limits, what is below it has none."""
    for directory, _, _ in os.walk(group, topdown=False):
        enabled = pathlib.Path(directory, "cgroup.subtree_control")
        for name in enabled.read_text().split():
            enabled.write_text(f"-{name}")


def wait_confined_again(host, tenant, before):
    """A new worker, in groups that have the plan's limits again; and the status tells what happened."""
    status = host.wait_status("acme/site", lambda s: s["state"] == "running" and [w["pid"] for w in s["workers"]] != [before]
                              and any(w["state"] == "ready" for w in s["workers"]))
    assert status["last_exit"]["code"] == "RH-UNCONFINED", status
    assert "RH-UNCONFINED" in host.cli("logs", "acme/site").out
    assert not pathlib.Path(f"/proc/{before}").exists()
    [worker] = host.worker_pids("acme/site")
    assert greedy.memory_limit(greedy.tenant_group(worker, "memory")) == str(256 * MEBIBYTE)
    assert greedy.read(greedy.tenant_group(worker, "pids"), "pids.max") == "64"
    assert greedy.cpu_quota(greedy.tenant_group(worker, "cpu")) == "100000"
    assert ask(host, tenant, "/hello") == "hello"


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_an_app_that_was_moved_out_of_its_groups_is_ended_and_started_in_them(host, acme, controller):
    [worker] = host.worker_pids("acme/site")
    move_out(greedy.tenant_group(worker, controller))
    wait_confined_again(host, acme, worker)


@pytest.mark.parametrize("level", ["leaf", "generation", "app", "tenant", "all of ours"])
def test_a_group_that_was_removed_is_made_again(host, acme, level):
    [worker] = host.worker_pids("acme/site")
    leaf = greedy.directory(worker, "memory")
    tenant = greedy.tenant_group(worker, "memory")
    group = {"leaf": leaf, "generation": leaf.parent, "app": leaf.parent.parent, "tenant": tenant,
             "all of ours": tenant.parent}[level]
    remove(group)
    wait_confined_again(host, acme, worker)


def wait_ended_as_unconfined(host, pid):
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 40, f"the end of {pid}; log:\n{host.log[-2000:]}")
    host.wait_status("acme/site", lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-UNCONFINED")


def test_one_that_loads_is_looked_at_too(host, acme):
    acme.put("greedy/slow.py", "import time\ntime.sleep(600)\n")
    host.set_probe(acme, wsgi="slow:application", directory="greedy", timeouts="{ startup: 600s }")
    status = host.wait_status("acme/site", lambda s: any(w["state"] == "loading" for w in s["workers"]))
    [loading] = [w["pid"] for w in status["workers"] if w["state"] == "loading"]
    move_out(greedy.directory(loading, "memory"))
    wait_ended_as_unconfined(host, loading)


def test_one_that_drains_is_looked_at_too(host, acme):
    """Also of an app of which nothing else is left."""
    acme.copy(APPS / "probe", "probe")
    host.set_probe(acme, timeouts="{ startup: 60s, request: 300s, graceful: 300s, shutdown: 3s }")
    assert host.cli("reload", "acme").code == 0
    wait_until(lambda: host.http(acme.domain).text == "hello", 60, "the probe app serves")
    with host.occupied(acme, ms=200000):
        [worker] = host.worker_pids("acme/site")
        stop = host.cli_begin("stop", "acme/site")
        host.wait_status("acme/site", lambda s: [w["state"] for w in s["workers"]] == ["draining"])
        move_out(greedy.directory(worker, "memory"))
        stop.wait(60)  # which waits for the request, that would take 200 s
    assert not pathlib.Path(f"/proc/{worker}").exists()
    assert "an app is not in its cgroups any more" in host.log


@pytest.mark.needs("cgroup2")
def test_controllers_that_were_taken_away_are_given_again(host, acme):
    [worker] = host.worker_pids("acme/site")
    take_controllers_away(greedy.tenant_group(worker, "memory"))
    wait_confined_again(host, acme, worker)


def test_an_app_that_nobody_touches_is_left_alone(host, acme):
    """Twin: several looks go by, with deaths of workers in between."""
    [worker] = host.worker_pids("acme/site")
    os.kill(worker, 9)
    host.wait_status("acme/site", lambda s: s["state"] == "running" and worker not in [w["pid"] for w in s["workers"]])
    [worker] = host.worker_pids("acme/site")
    looks = len(host.log)
    wait_until(lambda: ask(host, acme, "/burn?ms=1000") is not None and uptime_of(worker) > 12, 60, "two looks")
    assert host.worker_pids("acme/site") == [worker]
    assert "not in its cgroups" not in host.log[looks:]
    assert host.status("acme/site")["last_exit"]["code"] == "RH-SIGNAL"


def uptime_of(pid):
    """Seconds since the process began."""
    started = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(pathlib.Path("/proc/uptime").read_text().split()[0]) - started
