"""A plan that changes while its tenants run: in force at once, and no process notices."""
import signal

import greedy
import pytest
from greedy import ask
from processes import wait_until

MEBIBYTE = 1 << 20


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = greedy.add(host, limits="{ cpu: 150% }")
    host.start("acme/site")
    return tenant


def reload(host, **plan):
    greedy.set_plan(host, **plan)
    host.write_config()
    return host.cli("reload", "--json")


def effects(answer):
    assert answer.code == 0, answer
    return {(change.get("plan"), change.get("tenant"), change["key"]): change["effect"]
            for change in answer.json["changes"]}


def test_limits_change_live_and_the_workers_stay(host, acme):
    pid = host.worker_pids("acme/site")[0]
    told = effects(reload(host, memory="300M", cpu="100%", cpu_weight="50", pids="77"))
    assert told == {("test", None, key): "applied_live" for key in ("memory", "cpu", "cpu_weight", "pids")}
    assert host.worker_pids("acme/site") == [pid]
    assert greedy.memory_limit(greedy.tenant_group(pid, "memory")) == str(300 * MEBIBYTE)
    assert greedy.read(greedy.tenant_group(pid, "pids"), "pids.max") == "77"
    assert greedy.cpu_quota(greedy.tenant_group(pid, "cpu")) == "100000"
    # The app's own quota may not be above: it follows.
    assert greedy.cpu_quota(greedy.app_group(pid, "cpu")) == "100000"
    assert greedy.read(greedy.tenant_group(pid, "cpu"), "cpu.weight", "cpu.shares") in ("50", "512")
    assert ask(host, acme, "/hello") == "hello"
    # And up again, the app's own quota included.
    effects(reload(host))
    assert greedy.memory_limit(greedy.tenant_group(pid, "memory")) == str(512 * MEBIBYTE)
    assert greedy.cpu_quota(greedy.app_group(pid, "cpu")) == "150000"
    assert host.worker_pids("acme/site") == [pid]


def test_a_reload_without_a_change_says_so(host, acme):
    assert effects(reload(host)) == {}
    answer = host.cli("reload")
    assert answer.out == "Nothing has changed.\n", answer


def test_concurrency_reaches_the_gateways_live(host, acme):
    assert effects(reload(host, concurrency="1", queue="1")) == {
        ("test", None, "concurrency"): "applied_live", ("test", None, "queue"): "applied_live"}
    assert ask(host, acme, "/hello") == "hello"


def test_what_needs_a_restart_is_named_and_comes_with_the_restart(host, acme):
    host.set_probe(acme, wsgi="greedy:application", directory="greedy", workers="3",
                   timeouts="{ startup: 60s, graceful: 500ms, shutdown: 500ms }")
    greedy.set_plan(host, workers="2")
    host.write_config()
    told = effects(host.cli("reload", "--json"))
    assert told == {("test", None, "workers"): "needs_restart"}
    refused = host.cli("restart", "acme/site")
    assert refused.code == 1
    assert "workers 3 is more than the 2" in refused.err
    effects(reload(host, workers="3"))
    assert host.cli("restart", "acme/site").code == 0
    assert len(host.worker_pids("acme/site")) == 3


def test_what_needs_a_new_rowhoused_is_named(host, acme):
    host.gateways = 2
    assert effects(reload(host)) == {(None, None, "gateway"): "needs_daemon_restart"}


def test_a_broken_file_changes_nothing_and_the_caller_is_told_where(host, acme):
    pid = host.worker_pids("acme/site")[0]
    answer = reload(host, memory="300M", pids="many")
    assert answer.code == 1
    line = next(number for number, text in enumerate(host.config_path.read_text().splitlines(), 1) if "many" in text)
    assert f"{host.config_path}:{line}:" in answer.json["error"]["detail"]
    assert '"pids" must be a whole number' in answer.json["error"]["detail"]
    assert greedy.memory_limit(greedy.tenant_group(pid, "memory")) == str(512 * MEBIBYTE)
    assert f"{host.config_path}:{line}:" in host.cli("reload").err


def test_a_plan_in_use_cannot_be_removed(host, acme):
    host.plans = "  other: { memory: 64M }\n"
    host.write_config()
    answer = host.cli("reload")
    assert answer.code == 1
    assert 'plan "test" is missing, and tenant acme has it' in answer.err
    assert ask(host, acme, "/hello") == "hello"


def test_sighup_does_the_same(host, acme):
    pid = host.worker_pids("acme/site")[0]
    greedy.set_plan(host, memory="300M")
    host.write_config()
    host.daemon.send_signal(signal.SIGHUP)
    group = greedy.tenant_group(pid, "memory")
    wait_until(lambda: greedy.memory_limit(group) == str(300 * MEBIBYTE), 20, lambda: f"the new limit; {host.log}")
    wait_until(lambda: "reload done" in host.log, 20, "the outcome is in the log")
    assert host.worker_pids("acme/site") == [pid]


def test_a_tenant_may_not_reload(host, acme):
    assert host.cli("reload", uid=acme.uid).code == 4


def test_memory_lowered_below_what_is_used_is_refused_or_ends_the_worker_and_is_never_unlimited(host, acme):
    """cgroup v1 refuses and keeps the former limit until the memory is given back; v2 takes it."""
    pid = host.worker_pids("acme/site")[0]
    group = greedy.tenant_group(pid, "memory")
    ask(host, acme, f"/hold?bytes={200 * MEBIBYTE}")
    told = effects(reload(host, memory="100M"))
    if (group / "memory.max").exists():
        assert told == {("test", None, "memory"): "applied_live"}
        assert greedy.memory_limit(group) == str(100 * MEBIBYTE)
        host.http(acme.domain, f"/hold?bytes={MEBIBYTE}")
        host.wait_status("acme/site", lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-OOM")
        return
    assert told == {("test", None, "memory"): "applied_live", ("test", "acme", "memory"): "not_applied"}
    assert greedy.memory_limit(group) == str(512 * MEBIBYTE)
    assert host.worker_pids("acme/site") == [pid]
    # The restart gives the memory back, and the limit is tried again.
    assert host.cli("restart", "acme/site").code == 0
    wait_until(lambda: greedy.memory_limit(group) == str(100 * MEBIBYTE), 20, "the limit is in force")
