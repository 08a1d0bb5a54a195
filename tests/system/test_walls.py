"""Two tenants on one host: who they are, and what one sees of the other.  Twins: what must fail stands beside
what must work."""
import json
import os
import pathlib

import greedy
import processes
import pytest
from rowhouse_host import UNIT


@pytest.fixture
def two(host):
    acme, globex = host.add_probe("acme"), host.add_probe("globex")
    for tenant in (acme, globex):
        tenant.put("secret.txt", f"of {tenant.name}\n", 0o644)
        tenant.home.chmod(0o755)  # as careless as a tenant may be
    host.start("acme/site", "globex/site")
    return acme, globex


def ask(host, tenant, path):
    answer = host.http(tenant.domain, path)
    assert answer.status == 200, answer.text
    return answer.text


@pytest.mark.sanitized
def test_workers_run_under_the_uid_and_gid_of_their_tenant(host, two):
    for tenant in two:
        pids = host.worker_pids(f"{tenant.name}/site")
        assert pids
        for pid in pids:
            assert processes.uids_of(pid) == [tenant.uid] * 4
            assert processes.gids_of(pid) == [tenant.uid] * 4


def test_the_worker_itself_sees_its_ids_no_groups_no_capabilities_and_a_filter(host, two):
    for tenant in two:
        who = json.loads(ask(host, tenant, "/who"))
        assert who["ids"] == [tenant.uid] * 6
        assert who["groups"] == []
        status = who["status"]
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0, capabilities
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"


def test_a_tenant_reads_its_own_home_and_not_its_neighbours(host, two):
    acme, globex = two
    assert "of acme" in ask(host, acme, f"/read?path={acme.home}/secret.txt")
    assert ask(host, acme, f"/read?path={globex.home}/secret.txt") == "ENOENT"
    assert ask(host, acme, f"/read?path={globex.home}") == "ENOENT"
    assert ask(host, acme, f"/write?path={globex.home}/x") == "ENOENT"


def test_a_tenant_reads_neither_the_hosts_secrets_nor_our_files(host, two):
    acme = two[0]
    for path in ("/etc/shadow", str(host.config_path), str(host.directory / "state"), str(host.log_path), "/root"):
        assert ask(host, acme, f"/read?path={path}") in ("ENOENT", "EACCES"), path


def test_a_tenant_writes_its_home_and_tmp_and_nothing_of_the_system(host, two):
    acme, globex = two
    assert ask(host, acme, f"/write?path={acme.home}/new.txt").startswith("ok")
    assert (acme.home / "new.txt").stat().st_uid == acme.uid
    assert ask(host, acme, "/write?path=/tmp/row.txt&text=mine").startswith("ok")
    assert ask(host, globex, "/read?path=/tmp/row.txt") == "ENOENT"
    assert not os.path.exists("/tmp/row.txt")
    assert ask(host, acme, "/write?path=/usr/row.txt") in ("EROFS", "EACCES", "EPERM")
    assert ask(host, acme, "/write?path=/etc/row.txt") in ("EROFS", "EACCES", "EPERM")


def test_a_tenant_signals_itself_and_not_its_neighbour(host, two):
    acme, globex = two
    own = json.loads(ask(host, acme, "/who"))["pid"]
    assert ask(host, acme, f"/kill?pid={own}").startswith("ok")
    outside = [*host.worker_pids("globex/site"), *host.gateway_pids(), host.daemon.pid]
    inside = {int(pid) for pid in json.loads(ask(host, acme, "/processes"))}
    for pid in outside:
        if pid not in inside:
            assert ask(host, acme, f"/kill?pid={pid}") == "ESRCH", pid
    assert host.http(globex.domain).status == 200


def test_a_tenant_sees_only_its_own_processes(host, two):
    acme, globex = two
    seen = json.loads(ask(host, acme, "/processes"))
    # pid 1 is the steward; the workers; nothing else is in the sandbox.
    assert 2 <= len(seen) <= 4, seen
    assert "1" in seen
    assert not [line for line in seen.values() if "rowhoused" in line or "gateway" in line or "pytest" in line]
    assert len(seen) < len(processes.processes_of_uids([acme.uid, globex.uid])) + 1


def test_the_environment_is_the_tenants_own(host, two):
    acme = two[0]
    variables = json.loads(ask(host, acme, "/environment"))["process"]
    assert variables["HOME"] == str(acme.home)
    assert not [name for name in variables if name.startswith(("ROWHOUSE_", "PYTEST", "SUDO", "LD_"))]


def groups_below_tenants(pid):
    """The process's paths below tenants/, one for each hierarchy in which it has one."""
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return [line.partition("/tenants/")[2] for line in lines if "/tenants/" in line]


def test_the_steward_and_each_worker_are_in_a_leaf_of_their_own(host, two):
    """In every hierarchy; and where the kernel can, a worker's leaf dies as a whole when its memory is over."""
    for tenant in two:
        [worker] = host.worker_pids(f"{tenant.name}/site")
        generation = f"t-{tenant.name}/a-site/g1"
        of_worker = groups_below_tenants(worker)
        of_steward = groups_below_tenants(processes.read_process(worker).parent)
        assert set(of_worker) == {f"{generation}/w1"}
        assert of_steward == [f"{generation}/steward"] * len(of_worker)
        together = greedy.directory(worker, "memory") / "memory.oom.group"
        assert not together.exists() or together.read_text().strip() == "1"


@pytest.mark.skipif(bool(UNIT), reason="systemd leaves nothing open")
def test_a_descriptor_that_rowhoused_was_started_with_reaches_no_process(host, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the operator")
    with secret.open() as left_open:
        os.set_inheritable(left_open.fileno(), True)
        host.left_open = (left_open.fileno(),)
        host.add_probe("acme")
        host.start("acme/site")
        programs = [host.daemon.pid, *(p.pid for p in processes.descendants(host.daemon.pid))]
        assert len(programs) > 5
        for pid in programs:
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            assert str(secret) not in held, pid
