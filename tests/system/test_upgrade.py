"""rowhouse upgrade: the programs on disk take the place of those that run, and when they cannot, nothing has changed."""
import os
import pathlib
import shutil
import threading

import processes
import pytest
from load import Load
from processes import wait_until
from rowhouse_host import BUILD
from supervisors import groups_of, supervisor_pid, workers

BROKEN = {"ends": "#!/bin/sh\nexit 7\n", "is no program": "nothing that can be executed\n",
          "never takes over": "#!/bin/sh\nexec sleep 60\n"}


@pytest.fixture
def acme(host, tmp_path_factory):
    """The tenant; the host's programs are copies that a test may replace."""
    programs = host.directory / "programs"
    shutil.copytree(BUILD, programs, ignore=lambda d, names: [n for n in names if not n.startswith(("rowhouse", "pythons"))
                                                              or pathlib.Path(d, n).is_dir()])
    programs.chmod(0o755)
    host.command = [programs / "rowhoused"]
    tenant = host.add_probe("acme", workers="{ min: 2, max: 2 }", threads="2")
    host.start("acme/site")
    return tenant


def put_on_disk(host, name, content):
    """As a package manager does: beside it, then in its place."""
    path = host.directory / "programs" / name
    staged = path.with_suffix(".new")
    if isinstance(content, str):
        staged.write_text(content)
    else:
        shutil.copy(content, staged)
    staged.chmod(0o755)
    staged.rename(path)


def program_of(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def test_an_upgrade_replaces_supervisor_gateways_and_control_and_refuses_nobody(host, acme):
    before, gateways, former = workers(host), host.gateway_pids(), supervisor_pid(host)
    control = [p.pid for p in processes.children(host.daemon.pid) if p.name.startswith("rowhouse-contro")]
    put_on_disk(host, "rowhoused", BUILD / "rowhoused")
    with Load(host.port, acme.domain, 8) as load:
        load.wait_for(50)
        answer = host.cli("upgrade", "--json")
        load.wait_for(50)
        assert answer.code == 0, (answer, host.log[-4000:])
        wait_until(lambda: not set(gateways) & set(host.gateway_pids()), 60, "the old gateways have gone")
        load.wait_for(50)
    assert answer.json["outcome"] == "done"
    # A gateway that leaves answers what is on its way to it on a kept connection, and says that this was the last.
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert supervisor_pid(host) != former
    assert program_of(supervisor_pid(host)) == os.stat(host.directory / "programs/rowhoused").st_ino
    assert len(host.gateway_pids()) == 2
    wait_until(lambda: control != [p.pid for p in processes.children(host.daemon.pid)
                                   if p.name.startswith("rowhouse-contro")], 20, "another control")
    wait_until(host.answers, 20, "the API answers")
    assert workers(host) == before
    assert host.cli("restart", "acme/site").code == 0
    host.note_processes()


@pytest.mark.parametrize("fault", BROKEN)
def test_a_program_that_does_not_take_over_gives_way_to_the_former_one(host, acme, fault):
    before, gateways, former = workers(host), host.gateway_pids(), supervisor_pid(host)
    inode = program_of(former)
    put_on_disk(host, "rowhoused", BROKEN[fault])
    with Load(host.port, acme.domain, 4) as load:
        load.wait_for(20)
        answer = host.cli("upgrade", "--json")
        load.wait_for(20)
    assert answer.code == 1, answer
    assert "former program" in answer.out + answer.err
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert program_of(supervisor_pid(host)) == inode
    assert workers(host) == before and host.gateway_pids() == gateways
    assert host.cli("restart", "acme/site").code == 0
    host.note_processes()


def test_a_program_that_root_cannot_trust_is_not_started(host, acme):
    former = supervisor_pid(host)
    put_on_disk(host, "rowhoused", BUILD / "rowhoused")
    (host.directory / "programs/rowhoused").chmod(0o777)
    answer = host.cli("upgrade")
    assert answer.code == 1 and "writable by nobody else" in answer.out + answer.err, answer
    assert supervisor_pid(host) == former


def test_only_an_admin_may_upgrade(host, acme):
    assert host.cli("upgrade", uid=acme.uid).code == 4
    assert groups_of(host)


def test_two_upgrades_at_once_are_one_and_a_busy(host, acme):
    put_on_disk(host, "rowhoused", BUILD / "rowhoused")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(host.cli("upgrade", "--json", timeout=120)))
               for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    host.note_processes()
    assert 0 in [answer.code for answer in answers], answers
    assert len(host.worker_pids("acme/site")) == 2
