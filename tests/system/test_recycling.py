"""Workers are replaced when they have done enough, and when one of their requests is over its time: nobody else's
request fails."""
import os
import time

from load import Load
from processes import wait_until

TIMES = "{ startup: 60s, graceful: 5s, shutdown: 3s }"


def ready(status):
    return [w["pid"] for w in status["workers"] if w["state"] == "ready"]


def app_log(host, app="acme/site"):
    return host.cli("logs", app, "-n", "2000").out


def test_workers_are_replaced_after_max_requests_and_no_request_fails(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 2 }", max_requests=100, timeouts=TIMES)
    host.start("acme/site")
    seen = set()
    with Load(host.port, acme.domain, 4) as load:
        wait_until(lambda: seen.update(host.worker_pids("acme/site")) or len(seen) >= 3, 60, "three workers were seen")
    assert set(load.counts) == {200} and load.wrong == []
    status = host.status("acme/site")
    assert status["last_exit"] is None and status["restarts"] == 0, status
    assert "RH-MAX-REQUESTS" in app_log(host)


def test_where_max_leaves_no_place_requests_wait_for_the_successor(host):
    acme = host.add_probe("acme", workers=1, max_requests=60, timeouts=TIMES)
    host.start("acme/site")
    first = host.worker_pids("acme/site")
    with Load(host.port, acme.domain, 4) as load:
        wait_until(lambda: host.worker_pids("acme/site") not in ([], first), 60, "the worker was replaced")
        load.wait_for(20, 60)
    assert set(load.counts) == {200} and load.wrong == []


def test_a_worker_is_replaced_after_max_lifetime(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 2 }", max_lifetime="1s", timeouts=TIMES)
    host.start("acme/site")
    first = host.worker_pids("acme/site")[0]
    with Load(host.port, acme.domain, 2) as load:
        host.wait_status("acme/site", lambda s: ready(s) and first not in [w["pid"] for w in s["workers"]])
        load.wait_for(5)
    assert set(load.counts) == {200} and load.wrong == []


def test_a_worker_that_has_grown_over_max_memory_is_replaced(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 2 }", max_memory="64M", timeouts=TIMES)
    host.start("acme/site")
    first = host.worker_pids("acme/site")[0]
    assert host.http(acme.domain, "/grow?bytes=70000000").text == "70000000"
    with Load(host.port, acme.domain, 2) as load:
        host.wait_status("acme/site", lambda s: ready(s) and first not in [w["pid"] for w in s["workers"]])
        load.wait_for(5)
    assert set(load.counts) == {200} and load.wrong == []
    assert "RH-MAX-MEMORY" in app_log(host)


def test_a_request_over_its_time_shows_its_stacks_and_the_others_of_its_worker_finish(host):
    host.gateways = 1
    acme = host.add_probe("acme", workers=1, threads=2,
                          timeouts="{ startup: 60s, request: 2s, graceful: 5s, shutdown: 3s }")
    host.start("acme/site")
    [worker] = host.worker_pids("acme/site")
    with host.occupied(acme, 60_000) as stuck:
        time.sleep(1.0)  # the other one begins a second later, and ends in its own time after the first is over
        with host.occupied(acme, 1600) as other:
            assert stuck.read_response().status == 504
            answer = other.read_response()
    assert answer.status == 200
    host.wait_status("acme/site", lambda s: ready(s) and worker not in [w["pid"] for w in s["workers"]])
    assert host.http(acme.domain).status == 200
    log = wait_until(lambda: text if "in echo" in (text := app_log(host)) else None, 10, "the stacks are in the log")
    assert "most recent call first" in log and "probe.py" in log
    status = host.status("acme/site")
    assert status["last_exit"]["code"] == "RH-REQUEST-TIMEOUT" and status["restarts"] == 1


def test_only_the_worker_with_the_stuck_request_is_replaced(host):
    host.gateways = 1
    acme = host.add_probe("acme", workers=2, timeouts="{ startup: 60s, request: 1s, graceful: 5s, shutdown: 3s }")
    host.start("acme/site")
    before = host.wait_status("acme/site", lambda s: len(ready(s)) == 2)
    with host.occupied(acme, 60_000) as stuck, Load(host.port, acme.domain, 4) as load:
        assert stuck.read_response().status == 504
        after = host.wait_status("acme/site", lambda s: len(ready(s)) == 2 and ready(s) != ready(before)
                                 and len(s["workers"]) == 2)
        load.wait_for(10)
    assert len(set(ready(before)) & set(ready(after))) == 1
    assert set(load.counts) == {200} and load.wrong == []


def test_a_start_over_its_time_shows_where_it_hangs(host):
    acme = host.add_probe("acme", timeouts="{ startup: 60s }")
    host.start("acme/site")
    host.set_probe(acme, timeouts="{ startup: 1500ms }")
    acme.put("probe/probe.py", "import time\ndef hang_here():\n    time.sleep(1000)\nhang_here()\n")
    answer = host.cli("restart", "acme/site")
    assert answer.code == 1 and "RH-START-TIMEOUT" in answer.err
    assert "hang_here" in app_log(host)
    assert host.http(acme.domain).status == 200


def test_a_worker_whose_app_took_the_signal_away_is_replaced_all_the_same(host):
    acme = host.add_probe("acme", timeouts="{ startup: 60s, request: 1s, graceful: 5s, shutdown: 3s }")
    acme.put("probe/probe.py", (acme.home / "probe/probe.py").read_text()
             + "\nimport faulthandler\nfaulthandler.unregister(40)\n")
    host.start("acme/site")
    [worker] = host.worker_pids("acme/site")
    assert host.http(acme.domain, "/echo?id=1&ms=60000").status == 504
    host.wait_status("acme/site", lambda s: ready(s) and worker not in [w["pid"] for w in s["workers"]])
    assert host.status("acme/site")["last_exit"]["code"] == "RH-REQUEST-TIMEOUT"


def test_a_hard_restart_ends_what_serves_and_its_requests_at_once(host):
    acme = host.add_probe("acme", timeouts=TIMES)
    host.start("acme/site")
    [old] = host.worker_pids("acme/site")
    with host.occupied(acme, 60_000) as running:
        assert host.cli("restart", "--hard", "acme/site").code == 0
        answer = running.read_response()
    assert answer.status == 502 and answer.cause == "RH-WORKER-GONE"
    assert not os.path.exists(f"/proc/{old}")
    assert host.http(acme.domain).status == 200
    assert host.status("acme/site")["last_exit"] is None
