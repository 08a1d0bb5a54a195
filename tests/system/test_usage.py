"""Usage and bills: what was used is counted once, whoever is killed, and can be exported."""
import csv
import io
import os
import signal
import sqlite3
import time

import greedy
import pytest
from control_process import control_pids, kill_control
from load import Load
from processes import wait_until
from supervisors import end_supervisor

SAMPLED_S = 40
CONNECTIONS = 4


def usage(host, *arguments, uid=0, tenant="acme"):
    answer = host.cli("usage", "--json", *arguments, uid=uid)
    assert answer.code == 0, answer
    return answer.json["tenants"].get(tenant)


def wait_usage(host, predicate, *arguments):
    last = {}

    def ask():
        last["usage"] = usage(host, *arguments)
        return last["usage"] if predicate(last["usage"]) else None

    return wait_until(ask, SAMPLED_S, lambda: f"usage: {last}")


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme")
    host.start("acme/site")
    return tenant


def test_what_a_tenant_used_is_told_in_total_by_the_hour_and_as_csv(host, acme):
    host.add_tenant("idle")
    host.cli("reload")
    for _ in range(5):
        assert host.http(acme.domain, "/echo?id=1&size=1000", method="POST", body=b"x" * 300).status == 200
    total = wait_usage(host, lambda u: u["requests"] == 5)
    assert total["bytes_in"] == 1500 and total["bytes_out"] == 5000
    assert total["cpu_seconds"] > 0.01 and total["workers_peak"] == 1 and total["faults"] == {}
    assert total["memory_peak_bytes"] > 1_000_000 and total["resources"]["memory_bytes"]["limit"] == 512 << 20
    assert total["resources"]["cpu_percent"] == {**total["resources"]["cpu_percent"], "limit": 200, "faults": 0}
    assert total["resources"]["concurrency"]["limit"] == 200
    wait_usage(host, lambda u: u["memory_gb_hours"] > 0)
    hours = usage(host, "--step", "hour")
    assert sum(hour["requests"] for hour in hours) == 5
    assert all(hour["from"].endswith(":00:00.000Z") for hour in hours)
    days = usage(host, "--step", "day", "--period", "2d")
    assert sum(day["requests"] for day in days) == 5
    rows = list(csv.DictReader(io.StringIO(host.cli("usage", "--csv").out)))
    [row] = [row for row in rows if row["tenant"] == "acme"]
    assert row["requests"] == "5" and row["bytes_out"] == "5000" and float(row["cpu_seconds"]) > 0.01
    wait_until(lambda: usage(host, tenant="idle") is not None, 20, "a tenant that used nothing is told too")
    assert usage(host, tenant="idle")["requests"] == 0
    table = host.cli("usage").out
    assert "TENANT" in table and "acme" in table and "not over yet" in table
    assert usage(host, "--period", "2020-01")["requests"] == 0


def test_a_tenant_sees_its_own_usage(host, acme):
    other = host.add_probe("globex")
    host.cli("reload")
    host.wait_running("globex/site")
    assert list(host.cli("usage", "--json", uid=acme.uid).json["tenants"]) == ["acme"]
    assert list(host.cli("usage", "--json", uid=other.uid).json["tenants"]) == ["globex"]
    assert host.cli("usage", "globex", uid=acme.uid).code == 3
    assert host.cli("usage", "nobody", uid=acme.uid).code == 3


def test_processor_time_is_what_the_app_burned(host):
    tenant = greedy.add(host)
    host.start("acme/site")
    before = wait_usage(host, lambda u: u["cpu_seconds"] > 0)["cpu_seconds"]
    burned = float(host.http(tenant.domain, "/burn?ms=1500").text)
    after = wait_usage(host, lambda u: u["cpu_seconds"] >= before + burned)["cpu_seconds"]
    # Beyond it there is only what the worker's start and the request itself took.
    assert after < before + burned + 2


def test_no_request_is_lost_or_counted_twice_when_programs_are_killed(host, acme):
    """Control and the supervisor die again and again under load; a gateway takes at most what it had open along."""
    with Load(host.port, acme.domain, CONNECTIONS) as load:
        for _ in range(2):
            load.wait_for(50)
            kill_control(host)
            load.wait_for(50)
            end_supervisor(host)
        load.wait_for(50)
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert wait_usage(host, lambda u: u["requests"] >= load.total)["requests"] == load.total
    with Load(host.port, acme.domain, CONNECTIONS, seed=2) as again:
        again.wait_for(50)
        os.kill(host.gateway_pids()[0], signal.SIGKILL)
        wait_until(lambda: len(host.gateway_pids()) == host.gateways, 20, "another gateway")
        again.wait_for(50)
    # One that comes after all of them and can be told from them: whoever has seen it has seen the others.
    assert host.http(acme.domain, "/echo?id=1&size=1", method="POST", body=b"x" * 300).status == 200
    known = wait_usage(host, lambda u: u["bytes_in"] == 300)["requests"] - 1
    # A gateway counts a request when its answer has been written: one on each connection may have been answered and no more.
    assert load.total + again.counts[200] - CONNECTIONS <= known <= load.total + again.total
    kill_control(host)
    assert usage(host)["requests"] == known + 1


def test_a_kill_in_the_middle_of_writing_changes_nothing(host, acme):
    """kill -9 of control at odd moments, also while it writes; SQLite's own check finds the file whole."""
    asked = 0
    for round_ in range(6):
        for _ in range(3):
            assert host.http(acme.domain).status == 200
            asked += 1
        host.cli_begin("usage").wait(20)
        # The commit that this question brings about is under way for some of these, and over for others.
        writer = host.cli_begin("usage")
        time.sleep(0.003 * round_)  # which moment it hits is what differs; nothing waits for it
        kill_control(host)
        writer.wait(20)
    assert wait_usage(host, lambda u: u["requests"] >= asked)["requests"] == asked
    host.stop()
    with sqlite3.connect(f"file:{host.directory}/state/usage/usage.db?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT sum(requests) FROM usage WHERE step=1").fetchone() == (asked,)


def test_usage_goes_on_after_rowhoused_was_stopped_and_started(host, acme):
    for _ in range(4):
        assert host.http(acme.domain).status == 200
    # Not sampled yet, perhaps: the supervisor tells it before it ends.
    host.stop()
    host.start("acme/site")
    for _ in range(3):
        assert host.http(acme.domain).status == 200
    assert wait_usage(host, lambda u: u["requests"] >= 7)["requests"] == 7


def test_a_death_is_a_fault_once_also_when_control_dies_with_it(host):
    host.gateways = 1
    tenant = greedy.add(host, limits="{ memory: 96M }")
    host.start("acme/site")
    host.http(tenant.domain, f"/hold?bytes={200 << 20}")
    kill_control(host)
    faults = wait_usage(host, lambda u: "RH-OOM" in u["faults"] and "memory_oom_kills" in u["faults"])["faults"]
    assert faults["RH-OOM"] == 1 and faults["RH-WORKER-GONE"] == 1
    kill_control(host)
    assert usage(host)["faults"]["RH-OOM"] == 1


def test_refusals_by_the_rate_are_faults_of_that_resource(host):
    host.gateways = 1
    greedy.set_plan(host, rate="2/s")
    tenant = greedy.add(host)
    host.start("acme/site")
    answers = [host.http(tenant.domain, "/hello").status for _ in range(12)]
    refused = answers.count(429)
    assert refused > 0
    found = wait_usage(host, lambda u: u["requests"] == 12)
    assert found["faults"]["RH-RATE"] == refused
    assert found["resources"]["requests_per_second"] == {
        **found["resources"]["requests_per_second"], "limit": 2, "faults": refused}


def test_what_an_app_used_stays_on_the_bill_when_it_is_removed(host, acme):
    for _ in range(6):
        assert host.http(acme.domain).status == 200
    host.set_probe(acme, "other")
    host.cli("reload", "acme")
    wait_until(lambda: host.status("acme/site") is None, 30, "the app has gone")
    assert wait_usage(host, lambda u: u["requests"] >= 6)["requests"] == 6
    host.set_probe(acme)
    host.cli("reload", "acme")
    host.wait_running("acme/site")
    assert host.http(acme.domain).status == 200
    assert wait_usage(host, lambda u: u["requests"] >= 7)["requests"] == 7


def test_the_database_is_control_s_own(host, acme):
    directory = host.directory / "state" / "usage"
    assert directory.stat().st_uid == host.control_uid and directory.stat().st_mode & 0o777 == 0o700
    wait_usage(host, lambda u: u["workers_peak"] >= 1)
    assert (directory / "usage.db").stat().st_uid == host.control_uid
    assert len(control_pids(host)) == 1
