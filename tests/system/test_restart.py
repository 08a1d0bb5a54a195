"""restart, stop and start: nobody's request fails, and what was decided stays decided."""
import os

import processes
import pytest
from load import Load
from processes import wait_until
from rowhouse_host import BUILD
from wrk import Wrk


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme", workers="{ min: 2, max: 2 }", threads="2")
    tenant.put("probe/mark.txt", "first")
    host.start("acme/site")
    return tenant


@pytest.mark.sanitized
def test_a_restart_under_load_fails_no_request(host, acme):
    before = host.status("acme/site")
    with Load(host.port, acme.domain, 16) as load:
        load.wait_for(50)
        for _ in range(3):
            answer = host.cli("restart", "acme/site", "--json")
            assert answer.code == 0, answer
            load.wait_for(50)
    assert load.wrong == []
    assert set(load.counts) == {200}, load.counts
    after = host.wait_running("acme/site")
    assert after["generation"] >= before["generation"] + 3
    assert not {w["pid"] for w in before["workers"]} & {w["pid"] for w in after["workers"]}


@pytest.mark.needs("wrk")
def test_a_restart_under_wrk_fails_no_request(host, acme):
    with Wrk(host.port, acme.domain, connections=16, seconds=4) as wrk:
        assert host.cli("restart", "acme/site").code == 0
    assert wrk.requests > 100, wrk.text
    assert wrk.bad_statuses == 0 and wrk.socket_errors == {}, wrk.text


def test_long_requests_of_the_old_generation_are_finished(host, acme):
    with Load(host.port, acme.domain, 4, slow_ms=800) as load:
        load.wait_for(4)
        assert host.cli("restart", "acme/site").code == 0
        load.wait_for(8)
    assert set(load.counts) == {200} and load.wrong == []


def test_a_restart_runs_the_code_that_is_on_disk_then(host, acme):
    assert host.http(acme.domain, "/generation").text == "first"
    acme.put("probe/mark.txt", "second")
    assert host.http(acme.domain, "/generation").text == "first"
    assert host.cli("restart", "acme/site").code == 0
    assert host.http(acme.domain, "/generation").text == "second"


def test_a_restart_that_fails_leaves_the_old_generation_serving_and_says_why(host, acme):
    before = host.status("acme/site")
    source = acme.home / "probe/probe.py"
    good = source.read_text()
    acme.put("probe/probe.py", "import no_such_module_anywhere\n")
    with Load(host.port, acme.domain, 4) as load:
        load.wait_for(20)
        answer = host.cli("restart", "acme/site", "--json")
        load.wait_for(20)
    assert answer.code == 1
    assert "RH-IMPORT" in answer.out + answer.err
    assert "no_such_module_anywhere" in answer.out + answer.err
    assert set(load.counts) == {200} and load.wrong == []
    after = host.status("acme/site")
    assert {w["pid"] for w in after["workers"]} == {w["pid"] for w in before["workers"]}
    acme.put("probe/probe.py", good)
    assert host.cli("restart", "acme/site").code == 0


def test_a_stopped_app_answers_503_at_once_and_start_brings_it_back(host, acme):
    assert host.cli("stop", "acme/site").code == 0
    assert host.status("acme/site")["state"] == "stopped"
    assert host.status("acme/site")["workers"] == []
    answer = host.http(acme.domain)
    assert answer.status == 503 and answer.cause == "RH-STOPPED"
    assert host.cli("start", "acme/site").code == 0
    host.wait_running("acme/site")
    assert host.http(acme.domain).status == 200


def test_stop_leaves_no_process_of_the_tenant(host, acme):
    assert processes.processes_of_uids([acme.uid])
    assert host.cli("stop", "acme/site").code == 0
    wait_until(lambda: not processes.processes_of_uids([acme.uid]), 10, "the sandbox is gone")


def test_stop_survives_a_restart_of_rowhoused_until_start(host, acme):
    assert host.cli("stop", "acme/site").code == 0
    status, _ = host.stop()
    assert status == 0
    host.start()
    assert host.status("acme/site")["state"] == "stopped"
    assert host.http(acme.domain).status == 503
    assert host.cli("start", "acme/site").code == 0
    host.wait_running("acme/site")
    host.stop()
    host.start("acme/site")


def test_stop_and_start_twice_are_the_same_as_once(host, acme):
    for command in ("stop", "stop", "start", "start"):
        assert host.cli(command, "acme/site").code == 0, command
    host.wait_running("acme/site")


@pytest.mark.parametrize("command", ["start", "restart"])
def test_a_stop_overtakes_a_command_that_cannot_come_to_its_end(host, acme, command):
    import subprocess
    if command == "start":
        assert host.cli("stop", "acme/site").code == 0
    acme.put("probe/probe.py", "import time\ntime.sleep(1000)\n")
    overtaken = subprocess.Popen([BUILD / "rowhouse", "--socket", host.socket_path, command, "acme/site"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")
    before = 2 if command == "restart" else 0  # the workers that serve meanwhile
    host.wait_status("acme/site", lambda s: s["state"] in ("starting", "restarting")
                     and len(processes.processes_of_uids([acme.uid])) > before + 1)
    assert host.cli("stop", "acme/site").code == 0
    _, sentence = overtaken.communicate(timeout=20)
    assert overtaken.returncode == 1 and "not possible in the present state" in sentence
    assert host.status("acme/site")["state"] == "stopped"
    wait_until(lambda: not processes.processes_of_uids([acme.uid]), 10, "both generations are gone")


def test_a_restart_of_a_stopped_app_is_refused_and_changes_nothing(host, acme):
    assert host.cli("stop", "acme/site").code == 0
    answer = host.cli("restart", "acme/site")
    assert answer.code == 1 and answer.err.strip()
    assert host.status("acme/site")["state"] == "stopped"


def test_the_generations_number_is_never_used_again(host, acme):
    first = host.status("acme/site")["generation"]
    assert host.cli("restart", "acme/site").code == 0
    second = host.status("acme/site")["generation"]
    host.stop()
    host.start("acme/site")
    assert first < second < host.status("acme/site")["generation"]


def test_a_child_that_the_app_left_behind_goes_with_its_generation(host, acme):
    acme.put("probe/probe.py", (acme.home / "probe/probe.py").read_text()
             + "\nimport subprocess\nsubprocess.Popen(['/usr/bin/sleep', '1000'], start_new_session=True)\n")
    assert host.cli("restart", "acme/site").code == 0

    def sleepers():
        return [p.pid for p in processes.processes_of_uids([acme.uid]) if p.name == "sleep"]

    old = sleepers()
    assert old
    assert host.cli("restart", "acme/site").code == 0
    wait_until(lambda: not set(old) & set(sleepers()), 15, "the old generation's children are gone")
    assert all(not os.path.exists(f"/proc/{pid}") or pid in sleepers() for pid in old)
