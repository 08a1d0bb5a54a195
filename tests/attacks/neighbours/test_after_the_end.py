"""What is left of a tenant: of one that crashed, and of one that was removed."""
import os
import pathlib
import subprocess

import bare
import processes
import pytest
from actors import Bare, Walled, add_attacker, end
from processes import wait_until

UNLIMITED = -1


@pytest.mark.case("X19")
def test_a_crash_leaves_no_core_file_whatever_limit_the_app_asked_for(case, host, invariants):
    acme = add_attacker(host, "acme")
    host.start("acme/site")
    invariants.watch(host)
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    with Bare(acme, preexec_fn=allow_cores) as child:
        control = child.ask("bad_hunger.crash", core_limit=UNLIMITED)
    dumped = [path for path in acme.home.rglob("core*") if path.is_file()]
    case.control(f"limit {control['limit']}, core written: {control['core']}", held=not control["core"])
    # A pattern that begins with a pipe starts a program of the host's, for which no limit counts.
    assert dumped or pattern.startswith(("|", "/")), control
    for path in dumped:
        path.unlink()
    told = Walled(host, acme).ask("bad_hunger.crash", core_limit=UNLIMITED)
    case.walls(f"limit {told['limit']}, core written: {told['core']}")
    assert told["signal"] == 11 and told["limit"] != "granted"
    if not pattern.startswith("|"):
        assert not told["core"]
    assert not [path for path in host.directory.rglob("core*") if path.is_file()]


def allow_cores():
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.case("X18")
def test_a_uid_is_not_given_to_a_new_tenant_while_anything_of_the_old_one_is_left(case, host):
    acme = add_attacker(host, "acme")
    host.add_bystander()
    host.start("acme/site", "bystander/site")
    host.stop()
    job = subprocess.Popen(["/bin/sleep", "600"], user=acme.uid, group=acme.uid, extra_groups=[],
                           start_new_session=True)
    left = processes.read_process(job.pid)
    try:
        (host.directory / "tenants.d" / "acme.yaml").unlink()
        heir = add_attacker(host, "heir")
        heir.uid = acme.uid
        heir.own(heir.home)
        host.register(heir)
        case.control(bare.run(heir.uid, lambda: os.kill(job.pid, 0) or f"with the old uid process {job.pid} is reached"))
        host.start("bystander/site")
        told = wait_until(lambda: [e for e in host.cli("status", "--json").json.get("errors", [])
                                   if e["tenant"] == "heir"], 10, lambda: host.cli("status", "--json").out)
        sentence = told[0]["message"]
        case.walls(sentence)
        assert "acme" in sentence and str(job.pid) in sentence
        assert not [p for p in processes.processes_of_uids([acme.uid]) if p.pid != job.pid]
        host.stop()
    finally:
        end(left)
    acme.home.rename(acme.home.with_name("acme-archived"))
    subprocess.run(["chown", "-R", "0:0", acme.home.with_name("acme-archived")], check=True)
    host.start("heir/site", "bystander/site")  # the twin: nothing is left, so the uid is free
