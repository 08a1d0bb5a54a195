"""A generation that is given up while the gateways are being told to use it: they go back to what serves."""
import os
import signal
from contextlib import contextmanager

import pytest
from processes import wait_until

APP, ONE = "acme/site", "{ min: 1, max: 1 }"


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme", workers=ONE, env="{ MARK: '1' }")
    host.start(APP)
    assert host.http(tenant.domain).status == 200
    return tenant


@contextmanager
def stopped_gateway(host):
    """It is told to switch, and does not answer yet."""
    [gateway] = host.gateway_pids()
    os.kill(gateway, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(gateway, signal.SIGCONT)
    assert host.gateway_pids() == [gateway]


def wait_newcomer(host, former):
    return wait_until(lambda: [pid for pid in host.worker_pids(APP) if pid not in former], 20, "a new worker is ready")


def assert_former_serves(host, acme, former):
    for _ in range(3):
        assert host.http(acme.domain, timeout=20).status == 200
    status = host.wait_status(APP, lambda s: [w["state"] for w in s["workers"]] == ["ready"])
    assert status["state"] == "degraded" and host.worker_pids(APP) == former


def test_a_worker_that_dies_while_the_gateways_switch_leaves_the_former_generation_serving(host, acme):
    former = host.worker_pids(APP)
    with stopped_gateway(host):
        restart = host.cli_begin("restart", APP)
        [newcomer] = wait_newcomer(host, former)
        os.kill(newcomer, signal.SIGKILL)
        assert restart.wait(20) == 1
    assert_former_serves(host, acme, former)


def test_a_restart_that_fails_while_the_gateways_switch_for_another_leaves_the_former_generation_serving(host, acme):
    former = host.worker_pids(APP)
    with stopped_gateway(host):
        host.set_probe(acme, workers=ONE, env="{ MARK: '2' }")
        wait_newcomer(host, former)
        acme.put("probe/probe.py", "import nothing_here\n")
        assert host.cli("restart", APP).code == 1
    assert_former_serves(host, acme, former)
    # With the settings that it has had, too: whoever replaces its worker is of its kind, and the change can be made again.
    acme.put("probe/probe.py", "def application(environ, start_response):\n"
             "    start_response('200 OK', [])\n    import os\n    return [os.environ['MARK'].encode()]\n")
    assert host.cli("restart", APP).code == 0
    assert host.http(acme.domain).text == "2"
