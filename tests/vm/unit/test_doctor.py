"""`rowhouse doctor` where there is systemd and unified cgroup v2: the findings that no other machine of ours has."""
import json
import pathlib
import subprocess

import installed
import pytest

CONFIG = installed.CONFIG / "rowhouse.yaml"


def doctor():
    """(exit status, verdict, findings)."""
    done = subprocess.run([installed.prefix() / "bin/rowhouse", "doctor", "--json"], capture_output=True, text=True,
                          timeout=100, check=False)
    assert done.stderr == "", done.stderr
    told = json.loads(done.stdout)
    return done.returncode, told["verdict"], told["findings"]


def found(findings, topic, level=None):
    return [f["found"] for f in findings if f["topic"] == topic and level in (None, f["level"])]


@pytest.fixture
def changed(machine):
    """Puts a file in the place of another, or beside it; afterwards all is as before."""
    before = []

    def change(path, text):
        before.append((path, path.read_text() if path.exists() else None))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    yield change
    for path, text in reversed(before):
        path.unlink() if text is None else path.write_text(text)
    machine.drop_in("")


def test_on_unified_cgroups_every_controller_and_kill_are_found(machine):
    machine.start(installed.QUICK_APPS)  # so that the controllers are handed down
    status, verdict, findings = doctor()
    lines = found(findings, "cgroups", "ok")
    for line in ("layout v2", "memory controller: present", "pids controller: present", "cpu controller: present",
                 "cgroup.kill (5.14): present", "memory.oom.group (4.19): present",
                 "memory.events oom_group_kill (5.17): present"):
        assert line in lines, findings
    assert found(findings, "cgroups", "warning") == found(findings, "cgroups", "failure") == []
    # This kernel lacks Landlock's scopes, and the host's network is shared: warnings, and nothing worse.
    assert (status, verdict) == (1, "warnings"), findings
    assert not [f for f in findings if f["level"] == "failure"]


def test_what_the_doctor_makes_to_look_is_gone(machine):
    doctor()
    assert not list(pathlib.Path("/sys/fs/cgroup").glob("rowhouse-doctor-*"))


def test_the_installed_unit_delegates_its_cgroups(machine):
    _, _, findings = doctor()
    assert found(findings, "service") == ["rowhoused.service delegates its cgroups"]


def test_a_drop_in_that_takes_delegation_away_is_a_warning(machine, changed):
    changed(pathlib.Path("/etc/systemd/system/rowhoused.service.d/test.conf"), "[Service]\nDelegate=no\n")
    status, _, findings = doctor()
    assert status == 1
    [line] = found(findings, "service", "warning")
    assert "no Delegate=yes" in line


def test_where_strict_refuses_a_missing_wall_the_doctor_says_that_rowhouse_cannot_run(machine, changed):
    changed(CONFIG, CONFIG.read_text().replace("strict: false", "strict: true"))
    status, verdict, findings = doctor()
    assert status == 5 and verdict not in ("good", "warnings")
    assert any("are not held" in line for line in found(findings, "landlock", "failure")), findings


def test_a_parent_whose_group_above_does_not_exist_cannot_be_used(machine, changed):
    changed(CONFIG, CONFIG.read_text().replace("parent: auto", "parent: /nobody.slice/rowhouse"))
    status, _, findings = doctor()
    assert status == 5
    [line] = found(findings, "cgroups", "failure")
    assert "/nobody.slice/rowhouse" in line
