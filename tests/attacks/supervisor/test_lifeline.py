"""What a worker says of itself to the supervisor: the first valid record counts, nothing else does anything."""
import time

import processes
import pytest
from actors import SECONDS, Walled, add_attacker, supervisor_of

FACTS = ("state", "generation", "restarts", "last_exit", "workers_min", "workers_max", "sandbox", "retry_in_ms")


@pytest.mark.case("S10")
def test_a_thousand_forged_records_kill_nobody_and_change_nothing(case, host, invariants):
    case.no_control("there is a lifeline behind the walls only")
    acme = add_attacker(host, "acme", workers="2")
    host.add_bystander()
    host.start("acme/site", "bystander/site")
    host.wait_status("acme/site", lambda s: [w["state"] for w in s["workers"]] == ["ready"] * 2)
    invariants.watch(host)
    attacker, before = Walled(host, acme), host.status("acme/site")
    pids, descriptors = sorted(host.worker_pids("acme/site")), processes.descriptor_count(supervisor_of(host))
    sent = attacker.ask("bad_processes.forge_records", count=200, seconds=SECONDS)
    deadline = time.monotonic() + 5
    while processes.descriptor_count(supervisor_of(host)) != descriptors and time.monotonic() < deadline:
        time.sleep(0.01)
    after = host.status("acme/site")
    changed = {key for key in FACTS if before[key] != after[key]}
    case.walls(f"{sent} records sent, changed: {sorted(changed) or 'nothing'}")
    assert sent > 1000 and not changed
    assert sorted(host.worker_pids("acme/site")) == pids
    assert processes.descriptor_count(supervisor_of(host)) == descriptors
    for _ in range(20):
        assert host.http(acme.domain).status == 200
    # The twin: the worker is still ruled by its lifeline.
    assert host.cli("restart", "acme/site").code == 0
    assert not set(pids) & set(host.worker_pids("acme/site"))
