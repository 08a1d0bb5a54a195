"""A start that finds a broken tenant file or manifest goes on with what was accepted last, and tells the problem."""
import os
import subprocess

import pytest
from processes import wait_until
from rowhouse_host import PATIENCE_S
from supervisors import end_supervisor
from test_live_config import problems


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_probe("acme", static="{ /static/: files }", env="{ SECRET: 'acme-words' }")
    tenant.put("files/style.css", "p {}")
    host.add_probe("globex")
    host.start("acme/site", "globex/site")
    wait_kept(host, "tenant-acme", "manifest-acme", "tenant-globex", "manifest-globex")
    return tenant


def kept(host, name):
    return host.directory / "state" / "last-good" / name


def wait_kept(host, *names):
    wait_until(lambda: all(kept(host, name).exists() for name in names), PATIENCE_S, f"{names} are written")


def tenant_file(host, name):
    return host.directory / "tenants.d" / f"{name}.yaml"


def assert_serves(host):
    host.wait_running("acme/site")
    assert host.http("acme.test").text == "hello"
    assert host.http("acme.test", "/static/style.css").text == "p {}"


def test_what_is_kept_is_roots_alone(host, acme):
    directory = kept(host, "")
    assert directory.stat().st_mode & 0o777 == 0o700 and directory.stat().st_uid == 0
    for name in ("tenant-acme", "manifest-acme"):
        assert kept(host, name).stat().st_mode & 0o777 == 0o600
    assert b"acme-words" in kept(host, "manifest-acme").read_bytes()


@pytest.mark.parametrize("text", ["apps: [\n", "apps:\n  site: { routes: [acme.test], wsgi: 'probe:application', therads: 4 }\n", None])
def test_a_broken_manifest_at_the_start(host, acme, text):
    host.stop()
    if text is None:
        (acme.home / "rowhouse.yaml").unlink()
    else:
        acme.manifest(text)
    host.start("globex/site")
    assert_serves(host)
    # Told as after a reload: status, explain, events, log; and the tenant sees it too.
    told = problems(host, "acme")
    assert told and all("rowhouse.yaml" in line for line in told)
    assert "rowhouse.yaml" in host.cli("explain", "acme/site", uid=acme.uid).out
    refused = [e for e in host.cli("events", "--json", "-n", "1000").json["events"] if e["type"] == "config_refused"]
    assert refused and refused[-1]["tenant"] == "acme"
    assert "manifest refused; what was accepted last is in force" in host.log
    # A worker that dies is replaced, and a file that is mended takes over.
    os.kill(host.worker_pids("acme/site")[0], 9)
    assert_serves(host)
    host.set_probe(acme, static="{ /static/: files }", env="{ SECRET: mended }")
    wait_until(lambda: problems(host, "acme") == [], 80, "the mended file is accepted")
    host.wait_running("acme/site")


def test_a_broken_tenant_file_at_the_start(host, acme):
    good = tenant_file(host, "acme").read_text()
    host.stop()
    tenant_file(host, "acme").write_text(good + "plam: gold\n")
    host.start("globex/site")
    assert_serves(host)
    assert any("acme.yaml" in line and "plam" in line for line in problems(host, "acme"))
    assert "tenant file refused; what was accepted last is in force" in host.log
    # Also for a supervisor that takes over, and until it is mended.
    end_supervisor(host)
    assert_serves(host)
    tenant_file(host, "acme").write_text(good)
    wait_until(lambda: problems(host, "acme") == [], PATIENCE_S, "the mended file is accepted")
    assert_serves(host)


def test_both_are_broken(host, acme):
    host.stop()
    tenant_file(host, "acme").write_text("{\n")
    acme.manifest("apps: nothing\n")
    host.start("globex/site")
    assert_serves(host)


def test_a_suspended_tenant_with_a_broken_file_stays_suspended(host, acme):
    good = tenant_file(host, "acme").read_text()
    tenant_file(host, "acme").write_text(good + "suspended: { reason: unpaid }\n")
    host.wait_status("acme/site", lambda s: s["state"] == "suspended")
    wait_until(lambda: b"unpaid" in kept(host, "tenant-acme").read_bytes(), PATIENCE_S, "it is kept")
    host.stop()
    tenant_file(host, "acme").write_text("suspended: [\n")
    host.start("globex/site")
    host.wait_status("acme/site", lambda s: s["state"] == "suspended" and s["suspended"] == {"reason": "unpaid"})
    assert host.http("acme.test").cause == "RH-SUSPENDED"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"RHGOOD9\n" + b[8:], lambda b: b"", lambda b: b[:40] + b"~" + b[41:]])
def test_a_damaged_or_foreign_store_file_is_ignored_with_a_sentence(host, acme, damage):
    host.stop()
    path = kept(host, "manifest-acme")
    path.write_bytes(damage(path.read_bytes()))
    acme.manifest("apps: [\n")
    host.start("globex/site")
    wait_until(lambda: problems(host, "acme"), PATIENCE_S, "the problem is told")
    assert host.status("acme/site") is None and host.http("acme.test").status == 421
    assert "what was accepted last cannot be used" in host.log
    host.set_probe(acme)
    assert host.cli("reload", "acme").code == 0
    host.wait_running("acme/site")


def test_a_link_in_the_place_of_a_store_file_is_not_followed(host, acme):
    host.stop()
    secret = host.directory / "secret"
    secret.write_bytes(kept(host, "manifest-acme").read_bytes())
    kept(host, "manifest-acme").unlink()
    kept(host, "manifest-acme").symlink_to(secret)
    acme.manifest("apps: [\n")
    host.start("globex/site")
    wait_until(lambda: problems(host, "acme"), PATIENCE_S, "the problem is told")
    assert host.status("acme/site") is None


def test_every_check_of_a_fresh_file_is_made(host, acme):
    """What was accepted last may not come back when the host has changed: the domain is somebody else's by now, the plan
    has gone, the uid is another one's."""
    globex = host.tenants["globex"]
    host.stop()
    globex.domains.append("acme.test")
    host.register(globex)
    tenant_file(host, "acme").write_text("{\n")
    host.start("globex/site")
    wait_until(lambda: problems(host, "acme"), PATIENCE_S, "the problem is told")
    assert host.status("acme/site") is None
    assert "tenant file refused, and what was accepted last too" in host.log
    assert "belongs to tenant globex" in host.log
    assert host.cli("status", uid=acme.uid).code == 4


def test_a_later_tenant_of_the_name_gets_nothing_of_the_former_one(host, acme):
    """Another customer under the same name, with another uid and no manifest yet: not the former one's words."""
    host.stop()
    for name in ("tenants", "apps"):
        (host.directory / "state" / name).unlink()  # as if nothing were left of the former one
    later = host.next_uid + 10
    os.chown(acme.home, later, later)
    (acme.home / "rowhouse.yaml").unlink()
    former, acme.uid = acme.uid, later
    assert former != later
    host.register(acme)
    host.start("globex/site")
    wait_until(lambda: problems(host, "acme"), PATIENCE_S, "the problem is told")
    assert host.status("acme/site") is None
    assert "what was accepted last is another tenant's" in host.log


def test_a_tenant_that_is_removed_leaves_nothing(host, acme):
    tenant_file(host, "acme").unlink()
    wait_until(lambda: not kept(host, "tenant-acme").exists() and not kept(host, "manifest-acme").exists(), PATIENCE_S,
               "it is forgotten")
    host.stop()
    # Removed while nobody looked.
    tenant_file(host, "globex").rename(tenant_file(host, "globex").with_suffix(".off"))
    host.add_probe("initech")
    host.start("initech/site")
    wait_until(lambda: not kept(host, "manifest-globex").exists(), PATIENCE_S, "it is forgotten")


def test_a_check_says_what_is_wrong_whatever_is_kept(host, acme):
    acme.manifest("apps: [\n")
    host.stop()
    checked = subprocess.run([*host.command, "--config", host.config_path, "--check"], capture_output=True, text=True,
                             check=False)
    assert checked.returncode == 1 and "rowhouse.yaml" in checked.stdout
