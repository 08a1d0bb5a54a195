"""Health checks: before a switch, and while an app serves."""
import pytest
from http_client import Connection
from load import Load
from processes import wait_until

TIMES = "{ startup: 60s, graceful: 5s, shutdown: 3s, health: 2s }"


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme", workers=2, threads=2, health="{ path: /health, interval: 1s }", timeouts=TIMES)
    host.start("acme/site")
    return tenant


def sick(tenant, status="503 Sick"):
    tenant.put("probe/health", status)


def well(tenant):
    (tenant.home / "probe/health").unlink()


def ready(status):
    return {w["pid"] for w in status["workers"] if w["state"] == "ready"}


def test_a_healthy_generation_is_switched_to_under_load(host, acme):
    before = host.status("acme/site")
    with Load(host.port, acme.domain, 8) as load:
        load.wait_for(20)
        for _ in range(3):
            answer = host.cli("restart", "acme/site")
            assert answer.code == 0, answer
        load.wait_for(20)
    assert set(load.counts) == {200} and load.wrong == []
    assert not ready(before) & ready(host.status("acme/site"))


@pytest.mark.parametrize("status", ["503 Sick", "404 Not Found", "500 Broken"])
def test_a_generation_that_fails_its_health_check_does_not_replace_the_old_one(host, acme, status):
    before = host.status("acme/site")
    acme.put("probe/probe.py", (acme.home / "probe/probe.py").read_text()
             + f"\nPATHS['/health'] = lambda q, e, s: text(s, 'sick', '{status}')\n")
    with Load(host.port, acme.domain, 4) as load:
        load.wait_for(10)
        answer = host.cli("restart", "acme/site", "--json")
        load.wait_for(10)
    assert answer.code == 1
    assert "RH-HEALTH" in answer.out and f"status {status[:3]}" in answer.out, answer
    assert set(load.counts) == {200} and load.wrong == []
    after = host.status("acme/site")
    assert after["state"] == "degraded" and ready(after) == ready(before)
    assert after["last_exit"]["code"] == "RH-HEALTH"
    assert after["last_exit"]["detail"].startswith(f"status {status[:3]}")


def test_a_generation_whose_health_check_hangs_does_not_replace_the_old_one(host, acme):
    before = host.status("acme/site")
    acme.put("probe/probe.py", (acme.home / "probe/probe.py").read_text()
             + "\nPATHS['/health'] = lambda q, e, s: time.sleep(100)\n")
    answer = host.cli("restart", "acme/site", "--json")
    assert answer.code == 1 and "RH-HEALTH" in answer.out and "no answer" in answer.out, answer
    assert ready(host.status("acme/site")) == ready(before)
    assert host.http(acme.domain).status == 200


def test_a_serving_worker_that_fails_three_checks_is_replaced(host, acme):
    before = ready(host.status("acme/site"))
    sick(acme)
    status = host.wait_status("acme/site", lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-HEALTH")
    assert status["last_exit"]["detail"].startswith("status 503")
    well(acme)
    wait_until(lambda: host.http(acme.domain).status == 200, 20, "it answers")
    host.wait_status("acme/site", lambda s: len(ready(s)) == 2 and s["state"] == "running", 60)
    assert ready(host.status("acme/site")) != before


def test_a_worker_that_is_busy_is_not_taken_for_a_sick_one(host, acme):
    before = ready(host.status("acme/site"))
    connections = [Connection(host.port) for _ in range(4)]
    for connection in connections:  # all threads of both workers
        connection.send(acme.domain, "/echo?id=1&ms=6000", method="POST", body=b"x")
    assert [connection.read_response().status for connection in connections] == [200] * 4
    for connection in connections:
        connection.close()
    assert ready(host.status("acme/site")) == before
    assert host.status("acme/site")["last_exit"] is None


def test_the_first_start_waits_for_its_health_check(host):
    globex = host.add_probe("globex", health="{ path: /health }", timeouts=TIMES)
    sick(globex)
    host.start()
    status = host.wait_status("globex/site", lambda s: s["last_exit"] and s["state"] == "backoff")
    assert status["last_exit"]["code"] == "RH-HEALTH"
    assert host.http(globex.domain).cause == "RH-BACKOFF"
    well(globex)
    host.wait_running("globex/site", 60)
    assert host.http(globex.domain).status == 200


def test_checks_are_no_requests_of_a_visitor(host, acme):
    wait_until(lambda: sum(w["requests"] for w in host.status("acme/site")["workers"]) >= 6, 30, "checks are made")
    assert "/health" not in host.cli("logs", "--access", "acme/site").out
