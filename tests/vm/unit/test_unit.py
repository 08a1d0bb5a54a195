"""The unit of packaging/ on a host with systemd and unified cgroup v2: what it starts, holds, ends and leaves."""
import json
import os
import signal
import subprocess

import installed
import processes
import pytest
from processes import wait_until

PLAN = {"memory.max": str(1024 ** 3), "pids.max": "256", "cpu.max": "200000 100000"}


def assert_confined(unit, apps=tuple(installed.APPS)):
    """Every worker sits in a leaf of its own below its tenant's limits."""
    for app in apps:
        tenant, name = app.split("/")
        confinement = unit.confinement(app)
        assert confinement
        for group, limits in confinement.values():
            assert group.startswith(f"tenants/t-{tenant}/a-{name}/g"), group
            assert group.split("/")[-1].startswith("w"), group
            assert limits == PLAN


def test_systemctl_start_returns_when_both_sites_can_be_served(unit):
    assert unit.show("ActiveState") == "active"
    assert "guest" in unit.get("acme/site").text.lower()
    assert unit.get("globex/shop").status == 200
    assert unit.get("initech/site").status == 200


def test_shells_find_the_completion_of_the_command(unit):
    for place in ("bash-completion/completions/rowhouse", "zsh/site-functions/_rowhouse", "fish/vendor_completions.d/rowhouse.fish"):
        assert "completion names 2>/dev/null" in (installed.prefix() / "share" / place).read_text(), place


def test_every_process_sits_in_its_group_below_the_units(unit):
    leaf = unit.directory / "supervisor"
    assert {int(pid) for pid in (leaf / "cgroup.procs").read_text().split()} == {unit.keeper, unit.supervisor}
    assert (unit.directory / "cgroup.procs").read_text() == ""
    assert_confined(unit)


def test_each_app_says_which_walls_this_host_lacks(unit):
    # Linux 6.1 has Landlock of ABI 2, and the example configuration shares the host's network.
    for app in installed.APPS:
        assert set(unit.status(app)["sandbox"]["missing"]) == {"landlock-scopes", "private-network"}


def test_a_restart_builds_a_new_generation_and_stop_ends_only_its_app(unit):
    before = unit.status("globex/shop")["generation"]
    unit.cli("restart", "globex/shop")
    assert unit.status("globex/shop")["generation"] > before
    assert unit.get("globex/shop").status == 200
    unit.cli("stop", "globex/shop")
    assert unit.get("globex/shop").status == 503
    assert unit.get("acme/site").status == 200
    unit.cli("start", "globex/shop")
    unit.wait_running(["globex/shop"])
    assert unit.get("globex/shop").status == 200


def test_daemon_reload_leaves_every_process_where_it_was(unit):
    before = {app: unit.confinement(app) for app in installed.APPS}
    groups = {p.pid: installed.cgroup_of(p.pid) for p in processes.descendants(unit.keeper)}
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "daemon-reexec")
    assert {app: unit.confinement(app) for app in installed.APPS} == before
    assert {pid: installed.cgroup_of(pid) for pid in groups} == groups
    assert_confined(unit)


def test_a_tenant_over_its_memory_dies_alone(unit):
    keeper, restarts, acme = unit.keeper, unit.restarts(), unit.workers("acme/site")
    unit.get("initech/site", "/eat")
    wait_until(lambda: (unit.status("initech/site")["last_exit"] or {}).get("code") == "RH-OOM", installed.PATIENCE_S,
               "the worker's end is known as RH-OOM")
    unit.wait_running(["initech/site"])
    assert unit.keeper == keeper and unit.restarts() == restarts
    assert unit.workers("acme/site") == acme


def test_systemctl_restart_ends_every_old_process_and_confines_the_new_ones(unit):
    old = [unit.keeper, *(p.pid for p in processes.descendants(unit.keeper))]
    installed.run("systemctl", "restart", installed.UNIT)
    unit.wait_running()
    assert not [pid for pid in old if installed.is_alive(pid)]
    assert_confined(unit)


def test_systemctl_stop_ends_everything_and_leaves_nothing(unit):
    old = [unit.keeper, *(p.pid for p in processes.descendants(unit.keeper))]
    unit.stop()
    assert unit.show("Result") == "success"
    assert not [pid for pid in old if installed.is_alive(pid)]
    assert not unit.leftovers()


def test_a_stop_while_it_starts_leaves_nothing(machine):
    starting = subprocess.Popen(["systemctl", "start", installed.UNIT])
    wait_until(lambda: machine.keeper and processes.children(machine.keeper), installed.PATIENCE_S, "a supervisor")
    machine.stop()
    starting.wait(installed.PATIENCE_S)
    assert not machine.leftovers()


def test_a_killed_supervisor_is_followed_by_one_that_takes_over_and_touches_nobody(machine):
    machine.start(installed.QUICK_APPS)
    keeper, supervisor, restarts = machine.keeper, machine.supervisor, machine.restarts()
    workers = {app: machine.workers(app) for app in installed.QUICK_APPS}
    taken_over = machine.journal().count("took over")
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: machine.journal().count("took over") > taken_over, installed.PATIENCE_S, "another has taken over")
    machine.wait_running(installed.QUICK_APPS)
    assert machine.keeper == keeper
    assert machine.restarts() == restarts
    assert machine.supervisor != supervisor
    assert {app: machine.workers(app) for app in installed.QUICK_APPS} == workers
    assert_confined(machine, installed.QUICK_APPS)


def test_a_killed_keeper_takes_everything_with_it_and_systemd_starts_it_again(machine):
    machine.start(installed.QUICK_APPS)
    before, old = machine.restarts(), [machine.keeper, *(p.pid for p in processes.descendants(machine.keeper))]
    os.kill(old[0], signal.SIGKILL)
    machine.wait_restarted(before)
    assert not [pid for pid in old if installed.is_alive(pid)]
    machine.wait_running(installed.QUICK_APPS)
    assert_confined(machine, installed.QUICK_APPS)


def test_a_stopped_keeper_is_found_by_the_watchdog(machine):
    machine.start(installed.QUICK_APPS)
    before, keeper = machine.restarts(), machine.keeper
    os.kill(keeper, signal.SIGSTOP)
    machine.wait_restarted(before)
    assert not installed.is_alive(keeper)
    machine.wait_running(installed.QUICK_APPS)
    assert_confined(machine, installed.QUICK_APPS)


def test_a_refused_configuration_fails_the_unit_once_and_says_where(machine):
    machine.stop()
    path = installed.CONFIG / "rowhouse.yaml"
    good = path.read_text()
    path.write_text(good + "surprise: 1\n")
    try:
        started = subprocess.run(["systemctl", "start", installed.UNIT], capture_output=True, check=False)
        assert started.returncode != 0
        assert machine.show("ActiveState") == "failed"
        assert machine.show("NRestarts") == "0"
        assert f"{path}:{len(good.splitlines()) + 1}:1: " in machine.journal()
    finally:
        path.write_text(good)
    assert not machine.leftovers()


@pytest.fixture
def slice_without_pids(machine):
    machine.stop()
    path = installed.pathlib.Path("/etc/systemd/system/bare.slice")
    path.write_text("[Slice]\nDisableControllers=pids\n")
    machine.drop_in("[Service]\nSlice=bare.slice\n")
    config = installed.CONFIG / "rowhouse.yaml"
    good = config.read_text()
    yield config
    config.write_text(good)
    machine.stop()
    machine.drop_in("")
    assert not machine.leftovers()


def test_without_the_pids_controller_the_wall_is_named_and_strict_refuses_to_start(machine, slice_without_pids):
    machine.start(installed.QUICK_APPS)
    assert "pids-limit" in machine.status("globex/shop")["sandbox"]["missing"]
    assert machine.get("globex/shop").status == 200
    machine.stop()
    text = slice_without_pids.read_text()
    slice_without_pids.write_text(text.replace("strict: false", "strict: true"))
    installed.run("systemctl", "start", installed.UNIT)
    for app in installed.APPS:
        wait_until(lambda name=app: machine.last_exit(name), installed.PATIENCE_S, lambda: machine.journal()[-4000:])
        assert machine.workers(app) == []
        last = machine.status(app)["last_exit"]
        assert last["code"] == "RH-SPAWN" and "pids-limit" in last["detail"], last
    assert machine.get("globex/shop").status == 503


def test_the_units_exposure_stays_low(machine):
    text = installed.run("systemd-analyze", "security", "--no-pager", installed.UNIT)
    print(text)
    report = json.loads(installed.run("systemd-analyze", "security", "--no-pager", "--json=short", installed.UNIT))
    kept = {row["name"] for row in report if row["set"]}
    for name in ("NoNewPrivileges=", "ProtectKernelModules=", "PrivateDevices=", "SystemCallArchitectures="):
        assert name in kept
