"""`rowhouse doctor` on this very host: what it finds, and how it ends."""
import json
import os
import pathlib
import subprocess

import pytest
from rowhouse_host import BUILD

STRANGER_UID = 61998
TOPICS = {"kernel", "landlock", "cgroups", "swap", "programs", "pythons", "configuration", "users", "directories",
          "tenants", "limits", "sysctls", "service"}


def doctor(config, *arguments, before=(), uid=0):
    done = subprocess.run([*before, BUILD / "rowhouse", "doctor", "--config", config, *arguments], capture_output=True,
                          text=True, timeout=60, check=False, user=uid, group=uid, extra_groups=[], cwd="/")
    assert done.stderr == "", done.stderr
    return done


def findings(done, level=None):
    answer = json.loads(done.stdout)
    return [f for f in answer["findings"] if level in (None, f["level"])]


def failures(done):
    return [f"{f['topic']}: {f['found']}" for f in findings(done, "failure")]


@pytest.fixture
def config(host):
    host.add_tenant("acme")
    host.write_config()
    return host.config_path


def test_a_host_that_runs_rowhouse_has_no_failure(host, config):
    done = doctor(config, "--json")
    assert failures(done) == []
    assert done.returncode == (1 if findings(done, "warning") else 0)
    assert json.loads(done.stdout)["verdict"] == ("warnings" if done.returncode else "good")
    assert {f["topic"] for f in findings(done)} == TOPICS
    assert all(bool(f["advice"]) == (f["level"] != "ok") for f in findings(done))
    host.start()  # what the doctor says is true


def test_the_doctor_needs_no_daemon_and_leaves_nothing_behind(host, config):
    before = sorted(str(p) for p in host.directory.rglob("*"))
    with subprocess.Popen([BUILD / "rowhouse", "doctor", "--config", config], stdout=subprocess.DEVNULL) as done:
        assert done.wait(60) in (0, 1)
    assert sorted(str(p) for p in host.directory.rglob("*")) == before
    # Other tests' groups come and go meanwhile: os.walk passes over what has gone.
    assert not [top for top, _, _ in os.walk("/sys/fs/cgroup") if top.endswith(f"/rowhouse-doctor-{done.pid}")]


def test_the_kernels_answers_are_the_kernels(config):
    from kernel import landlock_abi
    said = {f["found"] for f in findings(doctor(config, "--json"))}
    assert any(os.uname().release in line for line in said)
    abi = landlock_abi()
    assert abi < 1 or any(f"Landlock ABI {abi}" in line for line in said), said


def test_every_line_says_ok_warning_or_failure(config):
    done = doctor(config)
    lines = done.stdout.splitlines()
    assert all(line.split()[0] in ("ok", "warning", "failure", "->") for line in lines[:-1]), lines
    assert lines[-1].endswith("failures")
    assert "\x1b" not in done.stdout


def test_a_world_writable_configuration_directory_is_refused_as_rowhoused_does(host, config):
    host.directory.chmod(0o777)
    done = doctor(config, "--json")
    assert done.returncode == 5
    assert any(f"{host.directory}" in line and "0777" in line for line in failures(done)), failures(done)
    check = subprocess.run([BUILD / "rowhoused", "--config", config, "--check"], capture_output=True, text=True,
                           timeout=30, check=False)
    assert check.returncode == 1 and "must belong to root" in check.stdout, check


def test_a_directory_of_another_owner_is_refused_also_above_the_last_one(host, config):
    middle = host.directory / "middle"
    (middle / "tenants.d").mkdir(parents=True)
    os.chown(middle, host.gateway_uid, host.gateway_uid)
    text = config.read_text().replace(f"{host.directory}/tenants.d", f"{middle}/tenants.d")
    config.write_text(text)
    done = doctor(config, "--json")
    assert done.returncode == 5
    assert any(f"{middle} belongs to uid {host.gateway_uid}" in line for line in failures(done)), failures(done)


def test_a_user_that_does_not_exist_is_named(host, config):
    config.write_text(config.read_text().replace(f"user: {host.gateway_uid}", "user: rowhouse-nobody-here"))
    done = doctor(config, "--json")
    assert done.returncode == 5
    said = [f for f in findings(done, "failure") if f["topic"] == "users"]
    assert said and "rowhouse-nobody-here" in said[0]["found"] and "useradd" in said[0]["advice"], said


def test_a_broken_configuration_is_told_with_line_and_column(config):
    lines = config.read_text().splitlines()
    config.write_text("\n".join([*lines, "pluns: 1", "nonsense: 2"]) + "\n")
    done = doctor(config, "--json")
    assert done.returncode == 5
    said = failures(done)
    assert len(said) == 2 and any(f"rowhouse.yaml:{len(lines) + 1}:1: " in line and "plans" in line for line in said), said


def test_a_missing_configuration_is_a_failure(host):
    done = doctor(host.directory / "none.yaml", "--json")
    assert done.returncode == 5
    assert any("none.yaml" in line for line in failures(done))


def test_a_broken_tenant_is_a_warning_and_concerns_nobody_else(host, config):
    (host.directory / "tenants.d" / "globex.yaml").write_text("plan: test\n")
    done = doctor(config, "--json")
    assert done.returncode == 1 and failures(done) == []
    assert any("globex.yaml:1:1: " in f["found"] for f in findings(done, "warning"))
    assert not any("acme.yaml" in f["found"] for f in findings(done, "warning"))


def test_a_cgroup_parent_without_a_way_to_it_cannot_be_used(host, config):
    config.write_text(config.read_text() + "cgroup: { parent: /rowhouse-no-such-group/below }\n")
    done = doctor(config, "--json")
    assert done.returncode == 5
    assert any("/rowhouse-no-such-group/below" in line for line in failures(done)), failures(done)
    refused = subprocess.run([BUILD / "rowhoused", "--config", config], capture_output=True, text=True, timeout=30,
                             check=False)
    assert refused.returncode == 1 and "cgroups cannot be used" in refused.stderr, refused


def test_a_host_without_cgroups_cannot_run_rowhouse(config):
    hide = "umount -l -R /sys/fs/cgroup && exec \"$@\""
    done = doctor(config, "--json", before=["unshare", "-m", "sh", "-c", hide, "sh"])
    assert done.returncode == 5
    assert failures(done) == ["cgroups: no cgroup hierarchy is mounted, so there are no limits and no sure kill"]


def test_an_ordinary_user_is_told_what_can_be_known(config):
    done = doctor(config, "--json", uid=STRANGER_UID)
    assert done.returncode in (1, 5)
    assert any("Landlock" in f["found"] for f in findings(done))
    assert any("as root" in f["advice"] for f in findings(done, "warning"))
