"""Who a tenant may be: refused where it is registered, and again at the last moment."""
import os
import pathlib
import shutil
import subprocess

import processes
import pytest
from actors import Bare, add_attacker
from processes import wait_until
from rowhouse_host import BUILD

NUMBERS = {"root": 0, "nobody": 65534, "none of 16 bits": 65535, "no change": 4294967295, "below the minimum": 999,
           "the gateway's": "gateway", "control's": "control", "another tenant's": "bystander"}
GROUPS = ["root", "shadow", "disk", "docker", "adm", "sudo", "kvm", "systemd-journal"]


def groups_of_the_host():
    lines = pathlib.Path("/etc/group").read_text().splitlines()
    return {line.split(":")[0]: int(line.split(":")[2]) for line in lines if line.split(":")[0] in GROUPS}


@pytest.fixture(scope="module")
def street(module_host, share):
    """A host with one tenant for each identity that must be refused."""
    bystander = module_host.add_bystander()
    ids = {"gateway": module_host.gateway_uid, "control": module_host.control_uid, "bystander": bystander.uid}
    for index, number in enumerate(NUMBERS.values()):
        wrong = ids.get(number, number)
        for key, uid, gid in (("u", wrong, None), ("g", None, wrong)):
            # The bystander comes first by its name, so it is the other one that is refused.
            add_refused(module_host, f"z{key}{index}", uid, gid)
    for group, gid in groups_of_the_host().items():
        add_refused(module_host, f"z{group}", None, gid)
    module_host.start("bystander/site")
    share(module_host)
    return module_host


def add_refused(host, name, uid, gid):
    home = host.directory / "homes" / name
    home.mkdir()
    own = host.next_uid
    (home / "rowhouse.yaml").write_text(f"apps: {{ site: {{ routes: [{name}.test], wsgi: 'a:b' }} }}\n")
    (host.directory / "tenants.d" / f"{name}.yaml").write_text(
        f"uid: {own if uid is None else uid}\ngid: {own if gid is None else gid}\nhome: {home}\nplan: test\n"
        f"domains: [{name}.test]\n")


def refusal_of(street, name):
    told = wait_until(lambda: [e["message"] for e in street.cli("status", "--json").json["errors"]
                               if e["tenant"] == name], 10, lambda: street.cli("status", "--json").out)
    assert not [app for app in street.cli("status", "--json").json["apps"] if app["tenant"] == name]
    return told[0]


@pytest.mark.case("S22")
@pytest.mark.parametrize("kind", ["uid", "gid"])
@pytest.mark.parametrize("identity", NUMBERS)
def test_an_identity_that_no_tenant_may_have_is_refused_with_its_reason(case, street, identity, kind):
    case.no_control("who registers a tenant is root: without the check it is done")
    name = f"z{kind[0]}{list(NUMBERS).index(identity)}"
    sentence = refusal_of(street, name)
    ids = {"gateway": street.gateway_uid, "control": street.control_uid, "bystander": street.bystander.uid}
    number = NUMBERS[identity]
    case.walls(sentence.split(".yaml:")[-1].strip())
    assert str(ids.get(number, number)) in sentence and kind in sentence


@pytest.mark.case("S22")
@pytest.mark.parametrize("group", groups_of_the_host())
def test_a_group_of_the_system_is_refused(case, street, group):
    case.no_control("who registers a tenant is root: without the check it is done")
    sentence = refusal_of(street, f"z{group}")
    case.walls(sentence.split(".yaml:")[-1].strip())
    assert str(groups_of_the_host()[group]) in sentence


def test_the_groups_that_every_debian_has_are_among_those_that_are_tried():
    assert {"root", "shadow", "disk", "adm", "sudo"} <= set(groups_of_the_host())


@pytest.fixture
def lying_programs(host):
    """The programs, with a loader that exchanges one uid for another, as the file `lie` says."""
    directory = host.directory / "programs"
    directory.mkdir()
    for path in BUILD.iterdir():
        if path.is_file() and (path.name.startswith("rowhouse") or path.name == "pythons.table"):
            shutil.copy2(path, directory / path.name)
    (directory / "rowhouse-loader").rename(directory / "honest-loader")
    shutil.copy2(BUILD / "tests" / "unit" / "supervisor" / "lying-loader", directory / "rowhouse-loader")
    return directory


@pytest.mark.case("S22")
@pytest.mark.parametrize("lie", [0, 998, 65534, 65535, 4294967295])
def test_the_supervisor_refuses_a_uid_also_when_the_loader_says_it_is_good(case, host, lying_programs, lie):
    case.no_control("without the second check it is the tenant")
    acme = add_attacker(host, "acme")
    host.command = [lying_programs / "rowhoused"]
    pathlib.Path(lying_programs, "lie").write_text(f"{acme.uid} {lie}\n")
    host.start()
    sentence = refusal_of(host, "acme")
    case.walls(sentence.split(".yaml:")[-1].strip())
    assert str(lie) in sentence
    assert not [p for p in processes.processes_of_uids([lie]) if "worker" in p.name and lie != 0]


@pytest.mark.case("S18")
def test_a_home_behind_a_link_is_refused(case, host, invariants):
    acme, globex = add_attacker(host, "acme"), add_attacker(host, "globex")
    link = host.directory / "homes" / "link"
    link.symlink_to(globex.home)
    acme.home = link
    host.register(acme)
    host.start("globex/site")
    invariants.watch(host)
    case.control(f"root enters {os.path.basename(os.path.realpath(link))}")
    sentence = refusal_of(host, "acme")
    case.walls(sentence.split("homes/")[-1])
    assert "symbolic link" in sentence


@pytest.mark.case("S19")
def test_a_hard_link_to_anothers_file_changes_nothing_of_it(case, host, invariants):
    acme = add_attacker(host, "acme", static="{ /static/: static }")
    acme.put("static/plain.txt", "plain")
    victim = host.directory / "victim"
    victim.write_text("VICTIM")
    victim.chmod(0o644)
    for place in ("linked", "bad/linked", "static/linked"):
        os.link(victim, acme.home / place)  # as on a host with fs.protected_hardlinks=0
    host.start("acme/site")
    invariants.watch(host)
    before = victim.stat()
    for command in ("restart", "stop", "start"):
        assert host.cli(command, "acme/site").code == 0
    answer = host.http(acme.domain, "/static/linked")
    assert host.http(acme.domain, "/static/plain.txt").text == "plain"
    after = victim.stat()
    case.walls(f"owner {after.st_uid}, mode {after.st_mode & 0o777:o}, served: {answer.status}")
    assert (after.st_uid, after.st_gid, after.st_mode, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_uid, before.st_gid, before.st_mode, before.st_mtime_ns, before.st_ctime_ns)
    assert answer.status == 403 and "VICTIM" not in answer.text
    # What a well-meant "chown -R" would do.
    subprocess.run(["chown", "-R", str(acme.uid), acme.home], check=True)
    case.control(f"chown -R: owner {victim.stat().st_uid}", held=victim.stat().st_uid == 0)
    with Bare(acme) as bare:
        assert bare.ask("bad_sharing.exists", path=str(acme.home / "linked")) is True
