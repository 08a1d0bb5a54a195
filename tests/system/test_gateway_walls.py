"""The gateway's own walls, as the kernel shows them: no right, an empty root, a filter of system calls."""
import os
import pathlib

import pytest
from processes import wait_until


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme")
    host.start("acme/site")
    return tenant


def test_a_gateway_has_no_right_and_an_empty_root(host, acme):
    assert host.http(acme.domain).status == 200
    pids = host.gateway_pids()
    assert pids
    for pid in pids:
        status = status_of(pid)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(status[kind], 16) == 0, kind
        assert status["NoNewPrivs"] == "1"
        assert status["Uid"].split() == [str(host.gateway_uid)] * 4
        assert os.listdir(f"/proc/{pid}/root") == [], "the root of a gateway"
        root = os.stat(f"/proc/{pid}/root")
        assert (root.st_uid, root.st_mode & 0o777) == (0, 0o555)
        if not os.environ.get("ROWHOUSE_SANITIZED"):
            assert {status_of(task)["Seccomp"] for task in (f"{pid}/task/{t}" for t in os.listdir(f"/proc/{pid}/task"))} == {"2"}


def test_the_walls_are_there_again_after_a_gateway_died(host, acme):
    first = host.gateway_pids()
    os.kill(first[0], 9)
    wait_until(lambda: len(host.gateway_pids()) == len(first) and first[0] not in host.gateway_pids(), 20,
               "another gateway is there")
    wait_until(lambda: host.http(acme.domain).status == 200, 20, "it serves")
    for pid in host.gateway_pids():
        wait_until(lambda pid=pid: os.listdir(f"/proc/{pid}/root") == [], 20, "its root is empty")
