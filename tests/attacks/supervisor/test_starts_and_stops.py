"""Apps that do not start, and apps that do not go."""
import os
import resource
import signal
import subprocess
import time

import processes
import pytest
from actors import PYTHON, SECONDS, Bare, Walled, add_attacker, end, waited
from processes import wait_until
from tenant_groups import TenantGroup

STOP_S = 8  # graceful 1 s, shutdown 1 s, and a slow machine
GOING = {"timeouts": "{ startup: 20s, graceful: 1s, shutdown: 1s }"}


@pytest.fixture
def street(host):
    add_attacker(host, "acme", **GOING)
    add_attacker(host, "globex", **GOING)
    host.add_bystander()
    return host


def start(street, invariants, *apps):
    street.start(*apps, "globex/site", "bystander/site")
    invariants.watch(street)
    invariants.expect_change("cgroups")


def restart_seconds(street):
    answer, took = waited(lambda: street.cli("restart", "globex/site"))
    assert answer.code == 0, answer
    return took


@pytest.mark.case("S11")
def test_an_import_that_never_ends_is_killed_at_the_start_timeout_and_backed_off(case, street, invariants):
    case.no_control("without the timer it sleeps for ever")
    acme = street.tenants["acme"]
    acme.put("bad/bad_sleeper.py", "import time\ntime.sleep(1e9)\n")
    street.set_probe(acme, wsgi="bad_sleeper:application", directory="bad", timeouts="{ startup: 300ms }")
    start(street, invariants)
    status = street.wait_status("acme/site", lambda s: s["state"] == "backoff" and s["retry_in_ms"] > 0)
    case.walls(f"{status['last_exit']['code']}, next in {status['retry_in_ms']} ms")
    assert status["last_exit"]["code"] == "RH-START-TIMEOUT"
    # Between two attempts no worker is left, only the steward.
    wait_until(lambda: len(processes.processes_of_uids([acme.uid])) <= 1, 10,
               lambda: processes.processes_of_uids([acme.uid]))
    assert street.http(acme.domain).status == 503


@pytest.mark.case("S12")
def test_an_app_that_dies_at_its_import_starts_ever_more_rarely_and_delays_no_other_start(case, street, invariants):
    case.no_control("without the backoff it starts at once, for ever")
    acme = street.tenants["acme"]
    acme.put("bad/bad_leaver.py", "import os\nos.write(2, b'begun\\n')\nos._exit(1)\n")
    start(street, invariants)
    quiet = min(restart_seconds(street) for _ in range(3))
    street.set_probe(acme, wsgi="bad_leaver:application", directory="bad")
    assert street.cli("stop", "acme/site").code == 0
    assert street.cli("start", "acme/site").code == 1

    def births():
        return street.cli("logs", "-n", 10000, "acme/site").out.count("begun")

    began, before = time.monotonic(), births()
    disturbed = []
    while time.monotonic() - began < SECONDS:
        disturbed.append(restart_seconds(street))
    attempts = births() - before
    status = street.status("acme/site")
    case.walls(f"{attempts} starts in {SECONDS:.0f} s, others' start {min(disturbed):.2f} s (was {quiet:.2f})")
    assert status["state"] in ("backoff", "starting") and status["last_exit"]["code"] == "RH-EXIT"
    # 0.1 s doubled each time, give or take a quarter: 0.1 0.2 0.4 0.8 1.6 ...
    assert attempts <= 8 + max(0, SECONDS - 6) / 5
    assert min(disturbed) < 3 * quiet + 0.5


def stop_everything(street, tenant):
    """`rowhouse stop`, and how long it took until no process with the uid was left."""
    answer, took = waited(lambda: street.cli("stop", f"{tenant.name}/site"))
    left = processes.processes_of_uids([tenant.uid])
    assert answer.code == 0 and not left, (answer, left)
    assert took < STOP_S
    return took


def control_of(case, tenant, action, **options):
    """The same as a child of a careless server, which ends what it started by SIGTERM to its pid."""
    with Bare(tenant, **options) as bare:
        try:
            bare.ask(action)
            os.kill(bare.pid, signal.SIGTERM)
            bare.process.wait(10)
            alive = len(processes.processes_of_uids([tenant.uid]))
        finally:
            wait_until(lambda: not kill_all(tenant), 20, lambda: processes.processes_of_uids([tenant.uid]))
    case.control(f"{alive} left after SIGTERM", held=alive == 0)


def kill_all(tenant):
    """Ends all that has the tenant's uid now: at one stroke, since a fork bomb is quicker than one by one."""
    found = processes.processes_of_uids([tenant.uid])
    subprocess.run([PYTHON, "-c", "import os; os.kill(-1, 9)"], user=tenant.uid, group=tenant.uid, extra_groups=[],
                   check=False)
    for process in found:
        end(process)
    return len(found)


def allow_few_processes():
    resource.setrlimit(resource.RLIMIT_NPROC, (60, 60))


@pytest.mark.case("S13")
def test_a_daemon_that_ignores_sigterm_is_gone_when_its_app_is_stopped(case, street, invariants):
    acme = street.tenants["acme"]
    control_of(case, acme, "bad_processes.detach_daemon")
    start(street, invariants, "acme/site")
    assert Walled(street, acme).ask("bad_processes.detach_daemon") > 0
    took = stop_everything(street, acme)
    case.walls(f"0 left after {took:.1f} s")


@pytest.mark.case("S14")
def test_a_fork_bomb_ends_when_its_app_is_stopped(case, street, invariants):
    acme = street.tenants["acme"]
    control_of(case, acme, "bad_processes.start_fork_bomb", preexec_fn=allow_few_processes)
    start(street, invariants, "acme/site")
    attacker = Walled(street, acme)
    group = TenantGroup(attacker.pid, acme.name)
    # The bomb may be faster than the answer.
    assert attacker.ask("bad_processes.start_fork_bomb") in ("started", "EAGAIN")
    wait_until(lambda: group.read("pids") >= 128, 20, lambda: f"{group.read('pids')} processes")
    assert street.http("globex.test").status == 200
    took = stop_everything(street, acme)
    case.walls(f"0 of 128 left after {took:.1f} s")


@pytest.mark.case("S15")
def test_stopped_processes_do_not_stop_the_stop(case, street, invariants):
    acme = street.tenants["acme"]
    with Bare(acme) as bare:
        bare.order("bad_processes.stop_everybody")
        wait_until(lambda: processes.read_process(bare.pid).state == "T", 10, "the child is stopped")
        os.kill(bare.pid, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            bare.process.wait(0.5)
        case.control("SIGTERM waits until it is continued")
    start(street, invariants, "acme/site")
    attacker = Walled(street, acme)
    pid = attacker.pid
    attacker.try_order("bad_processes.stop_everybody", patience=0.5)
    wait_until(lambda: processes.read_process(pid).state == "T", 10, "the worker is stopped")
    took = stop_everything(street, acme)
    case.walls(f"0 left after {took:.1f} s")


@pytest.mark.case("S16")
def test_orphans_are_reaped(case, street, invariants):
    acme = street.tenants["acme"]
    with Bare(acme) as bare:
        bare.ask("bad_processes.leave_orphans", count=40)

        def zombies():
            return [p for p in processes.children(os.getpid()) if p.state == "Z" and p.pid != bare.pid]

        wait_until(lambda: len(zombies()) == 40, 10, lambda: f"{len(zombies())} zombies fell to us")
        case.control(f"{len(zombies())} zombies")
        for process in zombies():
            end(process)
    start(street, invariants, "acme/site")
    attacker = Walled(street, acme)
    group = TenantGroup(attacker.pid, acme.name)
    before = group.read("pids")
    made = attacker.ask("bad_processes.leave_orphans", count=10_000 if SECONDS >= 10 else 2000, patience=60)
    wait_until(lambda: group.read("pids") <= before, 10, lambda: f"{group.read('pids')} now, {before} before")
    case.walls(f"{made} orphans, {group.read('pids')} processes as before")
    assert not [p for p in processes.processes_of_uids([acme.uid]) if p.state == "Z"]
