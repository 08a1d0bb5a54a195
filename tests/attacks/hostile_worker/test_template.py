"""W31: a hostile template (preload) - what it may do with the lifelines that it is given is bounded, and each worker that
it spoils is one of its own app."""
import json
import os
import pathlib
import shutil
import signal

import processes
import pytest
from actors import supervisor_of
from processes import wait_until

APPS = pathlib.Path(__file__).resolve().parents[1] / "apps"
WIRE = pathlib.Path(__file__).resolve().parents[2] / "system" / "worker_wire" / "wire.py"
APP, PIDS = "evil/site", 40
PLANS = f"  test: {{ memory: 512M, cpu: 200%, pids: {PIDS}, workers: 8, threads: 16, concurrency: 200, queue: 200 }}\n"


class Template:
    def __init__(self, host, tenant):
        self.host, self.tenant = host, tenant

    def set_mode(self, mode):
        self.tenant.put("next/mode", mode)

    def notes(self):
        path = self.tenant.home / "next" / "notes"
        return path.read_text(encoding="ascii") if path.exists() else ""

    def wait_note(self, what):
        wait_until(lambda: what in self.notes(), 30, lambda: f"'{what}' is noted: {self.notes()}; {self.host.log[-3000:]}")

    def pids(self):
        found = []
        for process in processes.descendants(self.host.daemon.pid):
            try:
                words = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            if words[:1] == [b"rowhouse-worker"] and words[1:2] == [APP.encode()]:
                found.append(process.pid)
        return found

    def facts(self):
        answer = self.host.http(self.tenant.domain, "/")
        assert answer.status == 200, answer
        return json.loads(answer.text)

    def wait_deaths(self, code, detail="", seconds=60):
        return self.host.wait_status(APP, lambda s: s["last_exit"] and s["last_exit"]["code"] == code
                                     and (s["last_exit"]["detail"] or "").startswith(detail), seconds)


@pytest.fixture
def evil(host, invariants):
    host.gateways, host.plans = 1, PLANS
    tenant = host.add_tenant("evil")
    tenant.copy(APPS, "site")
    shutil.copy(WIRE, tenant.home / "site" / "wire.py")
    tenant.own(tenant.home / "site")
    tenant.put("next/made", "")
    host.set_probe(tenant, wsgi="evil_template:application", directory="site", preload="true", workers=1,
                   timeouts="{ startup: 4s, graceful: 2s, shutdown: 1s }")
    host.add_bystander()
    template = Template(host, tenant)

    def start(mode):
        template.set_mode(mode)
        host.start(f"{host.bystander.name}/site")
        invariants.watch(host)
        return template

    template.start = start
    return template


def heals(evil):
    """Once it behaves, the app comes up again by itself; nobody else has noticed anything."""
    evil.set_mode("good")
    evil.host.wait_running(APP, 120)
    told = evil.facts()
    assert told["parent"] == 1 and [leaf for leaf in told["leaves"] if leaf.startswith("w")], told
    assert evil.host.http(evil.host.bystander.domain).status == 200


NOT_BORN = {"itself": "said BORN itself", "hidden": "hid a worker", "once": "forked once", "refuse": "refused"}


@pytest.mark.case("W31")
@pytest.mark.parametrize("mode", NOT_BORN)
def test_a_template_that_gives_the_supervisor_a_wrong_process_has_no_worker(case, evil, mode):
    case.no_control("there are templates behind the walls only")
    evil.start(mode)
    evil.wait_note(NOT_BORN[mode])
    status = evil.wait_deaths("RH-SPAWN")
    assert [w for w in status["workers"] if w["state"] == "ready"] == []
    case.walls(f"{mode}: RH-SPAWN, no worker")
    heals(evil)


@pytest.mark.case("W31")
def test_a_template_that_does_not_fork_is_replaced(case, evil):
    case.no_control("there are templates behind the walls only")
    evil.start("silent")
    evil.wait_note("does not fork")
    former = set(evil.pids())
    evil.wait_deaths("RH-START-TIMEOUT")
    wait_until(lambda: evil.pids() and not set(evil.pids()) & former, 60, "another template is there")
    case.walls("RH-START-TIMEOUT, another template")
    heals(evil)


@pytest.mark.case("W31")
def test_a_template_that_dies_while_it_forks_leaves_nothing_behind(case, evil):
    case.no_control("there are templates behind the walls only")
    evil.start("die")
    evil.wait_note("dies")
    evil.wait_deaths("RH-EXIT", "6")
    case.walls("RH-EXIT 6, what it forked is gone")
    heals(evil)
    wait_until(lambda: len(evil.pids()) == 2, 20, lambda: f"the template and its worker alone are there: {evil.pids()}")


@pytest.mark.case("W31")
def test_a_process_is_not_two_workers(case, evil):
    case.no_control("there are templates behind the walls only")
    evil.host.set_probe(evil.tenant, wsgi="evil_template:application", directory="site", preload="true", workers=2,
                        timeouts="{ startup: 4s, graceful: 2s, shutdown: 1s }")
    evil.start("twice")
    evil.wait_note("claimed twice")
    status = evil.wait_deaths("RH-SPAWN")
    ready = [w["pid"] for w in status["workers"] if w["state"] == "ready"]
    assert len(ready) == len(set(ready)) <= 1, status
    case.walls("the second claim: RH-SPAWN")
    heals(evil)


@pytest.mark.case("W31")
@pytest.mark.parametrize("mode", ["bomb", "unasked"])
def test_what_a_template_forks_unasked_is_counted_and_ends_with_it(case, evil, mode):
    case.no_control("there are templates behind the walls only")
    evil.start(mode)
    evil.wait_note({"bomb": "forks without end", "unasked": "forked unasked"}[mode])
    most = max(len(evil.pids()) for _ in range(20))
    assert most <= PIDS, most
    assert evil.host.http(evil.host.bystander.domain).status == 200
    if mode == "bomb":
        evil.wait_deaths("RH-START-TIMEOUT")
    case.walls(f"{mode}: at most {most} of {PIDS} processes")
    evil.set_mode("good")
    # Refused while the processes of the bomb that has just been killed still count.
    wait_until(lambda: evil.host.cli("restart", "--hard", APP).code == 0, 60, "a restart")
    heals(evil)
    wait_until(lambda: len(evil.pids()) == 2, 20, lambda: f"the template and its worker alone are there: {evil.pids()}")


@pytest.mark.case("W31")
def test_a_template_that_keeps_its_workers_descriptors_keeps_nobody_elses(case, evil):
    case.no_control("there are templates behind the walls only")
    evil.start("keep")
    evil.host.wait_running(APP, 60)
    control = next(p.pid for p in processes.descendants(evil.host.daemon.pid) if p.name.startswith("rowhouse-contr"))
    before = {"supervisor": processes.descriptor_count(supervisor_of(evil.host)),
              "control": processes.descriptor_count(control)}
    for _ in range(4):
        [worker] = evil.host.worker_pids(APP)
        os.kill(worker, signal.SIGKILL)
        evil.host.wait_status(APP, lambda s, w=worker: [x["state"] for x in s["workers"]] == ["ready"]
                              and s["workers"][0]["pid"] != w, 60)

    def settled():
        return (processes.descriptor_count(supervisor_of(evil.host)) <= before["supervisor"]
                and processes.descriptor_count(control) <= before["control"] + 1)

    wait_until(settled, 30, lambda: f"descriptors are as before: {before}")
    case.walls("each death is seen at once; no descriptor is kept for a dead worker")
    heals(evil)
