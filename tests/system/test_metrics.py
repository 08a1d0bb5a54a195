"""Metrics: what Prometheus reads says what happened, to everybody their own, through any restart."""
import json
import os
import pathlib
import re
import signal

import greedy
import pytest
from control_process import kill_control
from processes import wait_until
from prometheus import promtool_complaints, scrape
from rowhouse_host import ROOT
from supervisors import end_supervisor

SAMPLED_S = 40  # a round is 10 s; a loaded machine may be late


def wait_metrics(host, predicate, uid=0):
    last = {}

    def ask():
        last["metrics"] = scrape(host, uid)
        return last["metrics"] if predicate(last["metrics"]) else None

    return wait_until(ask, SAMPLED_S, lambda: f"metrics:\n{last['metrics'].text[:6000]}")


def requests(metrics, tenant="acme", **labels):
    return metrics.sum("rowhouse_app_requests_total", tenant=tenant, app="site", **labels)


@pytest.fixture
def two(host):
    acme, globex = host.add_probe("acme"), host.add_probe("globex")
    host.start("acme/site", "globex/site")
    return acme, globex


def test_what_was_asked_is_in_the_metrics_by_class_and_stage(host, two):
    for _ in range(7):
        assert host.http("acme.test").status == 200
    assert host.http("acme.test", "/echo?id=1&size=5000&ms=120").status == 200
    assert host.http("acme.test", "/no-such-thing").status == 404
    metrics = wait_metrics(host, lambda m: requests(m) == 9)
    assert promtool_complaints(metrics.text) == ""
    assert requests(metrics, **{"class": "2xx"}) == 8 and requests(metrics, **{"class": "4xx"}) == 1
    assert requests(metrics, "globex") == 0
    for stage in ("gateway", "queue", "worker"):
        assert metrics.get(f"rowhouse_app_{stage}_seconds_count", tenant="acme", app="site") == 9, stage
    assert metrics.get("rowhouse_app_worker_seconds_sum", tenant="acme", app="site") > 0.12
    slow = metrics.get("rowhouse_app_worker_seconds_count", tenant="acme", app="site") - metrics.get(
        "rowhouse_app_worker_seconds_bucket", tenant="acme", app="site", le="0.05")
    assert slow >= 1
    assert metrics.get("rowhouse_app_sent_bytes_total", tenant="acme", app="site") >= 5000
    assert metrics.get("rowhouse_app_state", tenant="acme", app="site", state="running") == 1
    assert metrics.get("rowhouse_app_workers", tenant="acme", app="site", state="ready") >= 1
    assert metrics.get("rowhouse_app_memory_bytes", tenant="acme", app="site") > 1_000_000
    assert metrics.get("rowhouse_app_cpu_seconds_total", tenant="acme", app="site") > 0.01
    assert metrics.get("rowhouse_app_queue_length", tenant="acme", app="site") == 0
    assert metrics.get("rowhouse_apps", state="running") == 2
    assert metrics.get("rowhouse_sample_age_seconds") < SAMPLED_S


def test_a_tenant_reads_its_own_metrics_and_nobody_elses(host, two):
    acme = two[0]
    metrics = wait_metrics(host, lambda m: m.get("rowhouse_app_state", tenant="acme", app="site", state="running"),
                           acme.uid)
    assert "globex" not in metrics.text and "rowhouse_apps" not in metrics.types
    assert host.cli("metrics", uid=61999).code == 4


def test_counters_only_grow_whoever_is_killed(host, two):
    """Gateways, supervisor and control: each is replaced, and no counter falls back or counts twice."""
    asked, last = 0, {}

    def ask_some(count):
        nonlocal asked
        for _ in range(count):
            assert host.http("acme.test").status == 200
        asked += count
        metrics = wait_metrics(host, lambda m: requests(m) >= asked)
        assert requests(metrics) == asked
        for name, kind in metrics.types.items():
            if kind == "counter":
                assert metrics.sum(name, tenant="acme") >= last.get(name, 0), name
                last[name] = metrics.sum(name, tenant="acme")

    ask_some(5)
    for pid in host.gateway_pids():
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda gone=pid: gone not in host.gateway_pids() and len(host.gateway_pids()) == host.gateways, 20,
                   "another gateway")
    ask_some(4)
    end_supervisor(host)
    ask_some(3)
    kill_control(host)
    ask_some(2)


def test_deaths_and_limits_are_counted_by_cause(host):
    host.gateways = 1
    greedy.set_plan(host, memory="256M", cpu="100%", pids="64")
    tenant = greedy.add(host, limits="{ memory: 96M, pids: 32 }")
    host.start("acme/site")
    assert host.http(tenant.domain, f"/hold?bytes={200 << 20}").status == 502
    metrics = wait_metrics(
        host, lambda m: m.get("rowhouse_app_worker_endings_total", tenant="acme", app="site", cause="RH-OOM") == 1
        and m.sum("rowhouse_app_oom_kills_total", tenant="acme") >= 1)
    assert metrics.get("rowhouse_app_refusals_total", tenant="acme", app="site", cause="RH-WORKER-GONE") == 1
    assert metrics.get("rowhouse_app_memory_limit_bytes", tenant="acme", app="site") == 96 << 20
    assert metrics.get("rowhouse_tenant_memory_limit_bytes", tenant="acme") == 256 << 20
    assert metrics.get("rowhouse_tenant_cpu_limit_percent", tenant="acme") == 100


def test_the_dashboard_and_the_page_name_no_metric_that_does_not_exist(host, two):
    host.http("acme.test")
    metrics = wait_metrics(host, lambda m: requests(m) >= 1)
    known = set(metrics.types) | {name + suffix for name, kind in metrics.types.items() if kind == "histogram"
                                  for suffix in ("_bucket", "_sum", "_count")}
    dashboard = (ROOT / "etc" / "grafana-dashboard.json").read_text(encoding="utf-8")
    assert len(json.loads(dashboard)["panels"]) > 10
    named = set(re.findall(r"\browhouse_[a-z_]+", dashboard))
    assert named and named <= known, named - known
    page = pathlib.Path(ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(rowhouse_[a-z_]+)`", page))
    assert told == set(metrics.types), told ^ set(metrics.types)
