"""How many workers an app has: none while it sleeps, one for its first request, more while requests wait."""
import os
import signal
import time

import processes
from background import Peak
from http_client import Connection
from load import Load
from processes import wait_until

TIMES = "{ startup: 60s, graceful: 5s, shutdown: 3s, idle: %s }"


def tenant_processes(tenant):
    return processes.processes_of_uids([tenant.uid])


def worker_processes(tenant):
    """As the kernel counts them, without the steward."""
    return [p for p in tenant_processes(tenant) if p.name.startswith("rowhouse-worker")]


def sleeper(host, idle="1h", workers="{ min: 0, max: 3 }", **keys):
    tenant = host.add_probe("acme", workers=workers, timeouts=TIMES % idle, **keys)
    host.start()
    host.wait_status("acme/site", lambda s: s["state"] == "idle")
    return tenant


def test_an_app_with_min_0_has_no_process_until_a_request_wakes_it(host):
    acme = sleeper(host)
    assert tenant_processes(acme) == []
    answer = host.http(acme.domain)
    assert (answer.status, answer.text) == (200, "hello")
    assert host.status("acme/site")["state"] == "running"
    assert len(worker_processes(acme)) == 1


def test_concurrent_first_requests_start_one_worker(host):
    host.gateways = 2
    acme = sleeper(host)
    connections = [Connection(host.port) for _ in range(24)]
    with Peak(lambda: len(worker_processes(acme))) as sampler:
        for number, connection in enumerate(connections):
            connection.send(acme.domain, f"/echo?id={number}")
        answers = [connection.read_response() for connection in connections]
    for connection in connections:
        connection.close()
    assert [answer.status for answer in answers] == [200] * 24
    assert sampler.most == 1
    status = host.status("acme/site")
    assert status["restarts"] == 0 and len(status["workers"]) == 1, status


def test_a_sleeping_app_sleeps_again_and_wakes_again(host):
    acme = sleeper(host, idle="1s")
    for _ in range(3):
        assert host.http(acme.domain).status == 200
        host.wait_status("acme/site", lambda s: s["state"] == "idle")
        wait_until(lambda: tenant_processes(acme) == [], 20, "nothing of it runs")
    assert host.status("acme/site")["last_exit"] is None
    assert host.status("acme/site")["restarts"] == 0


def test_requests_that_come_while_it_falls_asleep_are_answered(host):
    acme = sleeper(host, idle="300ms", workers="{ min: 0, max: 1 }")
    for pause in range(24):
        assert host.http(acme.domain).status == 200
        time.sleep(0.3 + pause * 0.02)  # across the moment at which it goes


def test_workers_are_added_while_requests_wait_and_leave_when_they_are_idle(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 3 }", timeouts=TIMES % "2s")
    host.start("acme/site")
    with Peak(lambda: len(worker_processes(acme))) as sampler:
        with Load(host.port, acme.domain, 8, slow_ms=100) as load:
            host.wait_status("acme/site", lambda s: len([w for w in s["workers"] if w["state"] == "ready"]) == 3)
            load.wait_for(20)
        host.wait_status("acme/site", lambda s: len(s["workers"]) == 1 and s["state"] == "running", 40)
    assert set(load.counts) == {200} and load.wrong == []
    assert sampler.most == 3
    assert host.status("acme/site")["last_exit"] is None
    told = [e["workers"] for e in host.cli("events", "acme/site", "--json", "-n", "1000").json["events"]
            if e["type"] == "scaled"]
    assert told[:2] == [2, 3] and told[-1] == 1, told
    assert "workers wanted: 3" in host.cli("logs", "acme/site").out


def test_a_quick_app_stays_at_one_worker_under_load(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 4 }", threads=4)
    host.start("acme/site")
    with Peak(lambda: len(worker_processes(acme))) as sampler, Load(host.port, acme.domain, 2) as load:
        load.wait_for(300, 60)
    assert set(load.counts) == {200} and load.wrong == []
    assert sampler.most == 1


def test_a_restart_keeps_the_strength_that_was_needed(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 2 }", timeouts=TIMES % "1h")
    host.start("acme/site")
    with Load(host.port, acme.domain, 6, slow_ms=100) as load:
        host.wait_status("acme/site", lambda s: len([w for w in s["workers"] if w["state"] == "ready"]) == 2)
        assert host.cli("restart", "acme/site").code == 0
        assert len(host.worker_pids("acme/site")) == 2
        load.wait_for(10)
    assert set(load.counts) == {200} and load.wrong == []


def test_a_restart_ends_also_when_the_old_generation_gets_stronger_meanwhile(host):
    acme = host.add_probe("acme", workers="{ min: 1, max: 2 }", wsgi="late:application", timeouts=TIMES % "1h")
    acme.put("probe/late.py", "import pathlib, time\n"
                              "time.sleep(float(pathlib.Path(__file__).with_name('delay').read_text()))\n"
                              "from probe import application\n")
    acme.put("probe/delay", "0")
    host.start("acme/site")
    with Load(host.port, acme.domain, 6, slow_ms=100) as load:
        host.wait_status("acme/site", lambda s: [w["state"] for w in s["workers"]] == ["ready", "ready"])
        # One is replaced and comes back while the first worker of the next generation is still importing.
        acme.put("probe/delay", "3")
        os.kill(host.worker_pids("acme/site")[0], signal.SIGKILL)
        host.wait_status("acme/site", lambda s: "loading" in [w["state"] for w in s["workers"]])
        time.sleep(0.5)  # it has read its delay
        acme.put("probe/delay", "6")
        answer = host.cli("restart", "acme/site", timeout=60)
        assert answer.code == 0, answer
        assert len(host.worker_pids("acme/site")) == 2
        load.wait_for(10)
    assert load.wrong == []


def test_a_sleeping_app_that_cannot_start_is_backed_off_and_not_tried_for_nobody(host):
    acme = sleeper(host)
    good = (acme.home / "probe/probe.py").read_text()
    acme.put("probe/probe.py", "import no_such_module_anywhere\n")

    def refused():
        answer = host.http(acme.domain)
        return answer if answer.cause == "RH-BACKOFF" else None

    answer = wait_until(refused, 30, "a refusal of an app in backoff")
    assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
    status = host.wait_status("acme/site", lambda s: s["state"] == "idle")
    assert status["last_exit"]["code"] == "RH-IMPORT"
    wait_until(lambda: tenant_processes(acme) == [], 20, "nothing of it runs")
    acme.put("probe/probe.py", good)
    wait_until(lambda: host.http(acme.domain).status == 200, 30, "it answers again")


def test_start_of_a_stopped_sleeper_makes_it_idle_and_a_restart_proves_that_it_can_start(host):
    acme = sleeper(host)
    assert host.cli("stop", "acme/site").code == 0
    assert host.http(acme.domain).cause == "RH-STOPPED"
    assert host.cli("start", "acme/site").code == 0
    assert host.status("acme/site")["state"] == "idle"
    assert host.cli("restart", "acme/site").code == 0
    assert len(host.worker_pids("acme/site")) == 1


def test_a_full_queue_and_a_slow_one_are_refused_with_their_cause(host):
    host.plans = "  test: { memory: 512M, pids: 128, workers: 2, threads: 2, concurrency: 50, queue: 3 }\n"
    host.gateways = 1
    acme = host.add_probe("acme", timeouts="{ startup: 60s, queue: 700ms, graceful: 5s, shutdown: 3s }")
    host.start("acme/site")
    with host.occupied(acme, 3000) as busy:
        waiting = [Connection(host.port) for _ in range(5)]
        for connection in waiting:
            connection.send(acme.domain, "/echo?id=1", method="POST", body=b"x")
        answers = [connection.read_response() for connection in waiting]
        for connection in waiting:
            connection.close()
        assert busy.read_response().status == 200
    causes = sorted(answer.cause for answer in answers)
    assert causes == ["RH-QUEUE-FULL"] * 2 + ["RH-QUEUE-TIMEOUT"] * 3, causes
    for answer in answers:
        assert answer.status == 503 and int(answer.header("Retry-After")) >= 1
