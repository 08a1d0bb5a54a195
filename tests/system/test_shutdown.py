"""SIGTERM: everything is gone within the deadline.  What is left is looked for by the fixture after every test."""
import os
import signal
import subprocess
import time

import processes
import pytest
from load import Load
from processes import wait_until
from rowhouse_host import BUILD, STOP_S


@pytest.mark.sanitized
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_and_the_status_is_0(host, number):
    host.add_probe("acme")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    status, seconds = host.stop(number=number)
    assert status == 0
    assert seconds < STOP_S
    assert not host.socket_path.exists()


def test_a_signal_under_load_ends_everything_within_the_deadline(host):
    acme = host.add_probe("acme")
    host.start("acme/site")
    load = Load(host.port, acme.domain, 16, slow_ms=20)
    with load:
        load.wait_for(20)
        status, seconds = host.stop()
    assert status == 0 and seconds < STOP_S
    assert load.wrong == []


def test_requests_that_run_when_the_signal_comes_are_finished(host):
    acme = host.add_probe("acme", timeouts="{ graceful: 5s, shutdown: 2s }")
    host.start("acme/site")
    with host.occupied(acme, ms=1000) as connection:
        status, _ = host.stop()
        answer = connection.read_response("POST")
    assert status == 0
    assert answer.status == 200 and answer.text.startswith("7\n")


def test_a_worker_that_ignores_everything_is_gone_by_the_deadline(host):
    acme = host.add_probe("acme", timeouts="{ startup: 60s, graceful: 500ms, shutdown: 500ms }")
    acme.put("probe/probe.py", (acme.home / "probe/probe.py").read_text() +
             "\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n")
    host.start("acme/site")
    with host.occupied(acme, ms=100_000):
        status, seconds = host.stop()
    assert status == 0 and seconds < STOP_S


def test_a_signal_during_the_start_of_an_app_leaves_nothing(host):
    acme = host.add_probe("acme")
    acme.put("probe/probe.py", "import time\ntime.sleep(1000)\n")
    host.start()
    host.wait_status("acme/site", lambda s: s["state"] == "starting")
    status, seconds = host.stop()
    assert status == 0 and seconds < STOP_S


def test_a_second_rowhoused_with_the_same_directories_refuses_to_start(host):
    host.add_probe("acme")
    host.start("acme/site")
    second = subprocess.run([BUILD / "rowhoused", "--config", host.config_path], capture_output=True, text=True,
                            timeout=30, check=False)
    assert second.returncode not in (0, -6, -11)
    assert second.stderr.strip()
    assert host.http("acme.test").status == 200


def test_what_a_killed_keeper_left_is_cleared_by_the_next_start(host):
    host.add_probe("acme")
    host.start("acme/site")
    host.note_processes()
    host.daemon.kill()
    host.daemon.wait(10)
    host.daemon = None
    import processes
    processes.wait_until(lambda: not [p for p in host.seen if p.is_alive() and not host._reap(p)], STOP_S,
                         lambda: f"everything ends with the keeper; left: {[p for p in host.seen if p.is_alive()]}")
    host.start("acme/site")
    assert host.http("acme.test").status == 200


def test_a_worker_that_its_steward_does_not_fork_holds_up_no_stop(host):
    """It is given up when its time to start is over; a stop that comes then, before the steward is given up too, ends
    with it."""
    host.add_probe("acme", timeouts="{ startup: 1s, graceful: 1s, shutdown: 1s }")
    host.start("acme/site")
    [worker] = host.worker_pids("acme/site")
    [steward] = [p for p in processes.descendants(host.daemon.pid) if p.name == "rowhouse-jail"]
    os.kill(steward.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    host.wait_status("acme/site", lambda s: "spawning" in [w["state"] for w in s["workers"]])
    given_up = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > given_up + 0.5, 5, "its time to start is over")
    assert host.cli("stop", "acme/site").code == 0
    assert not steward.is_alive()
    assert "not in its cgroups" not in host.log, "it ended by itself, not by the look that finds what has strayed"
