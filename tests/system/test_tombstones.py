"""A uid never passes from one tenant to another while anything of the first is left (X18), and nobody gets an id
that is somebody else's (S22, A09)."""
import ctypes
import os
import pathlib
import pwd
import signal
import subprocess

import processes
import pytest
from processes import wait_until

PRIVILEGED = ("root", "shadow", "disk", "adm", "sudo", "kvm", "docker", "systemd-journal")


def problem_of(host, name):
    """The sentence about a tenant in `status --json`, waited for."""
    def ask():
        errors = host.cli("status", "--json").json.get("errors", [])
        return [str(error) for error in errors if f"{name}.yaml" in str(error)]

    return wait_until(ask, 15, lambda: f"no problem of {name}; log:\n{host.log}")[0]


def entry(tenant, uid=None, gid=None):
    return (f"uid: {uid or tenant.uid}\ngid: {gid or tenant.uid}\nhome: {tenant.home}\nplan: test\n"
            f"domains: [{', '.join(tenant.domains)}]\nmanifest: rowhouse.yaml\n")


def remove(host, tenant):
    (host.directory / "tenants.d" / f"{tenant.name}.yaml").unlink()


def restart(host, *apps):
    if host.daemon:
        assert host.stop()[0] == 0
    host.start(*apps)


def as_uid(uid, code):
    """A bare child with the uid, outside every sandbox; runs `code`, says so, and waits."""
    child = subprocess.Popen(["/usr/bin/python3", "-c", code + "\nprint('done', flush=True)\nimport signal\nsignal.pause()"],
                             user=uid, group=uid, extra_groups=[], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "done\n"
    return child


def end(child):
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.fixture
def heir(host):
    """acme has run and is removed; globex is registered with acme's uid and has a home of another owner."""
    acme = host.add_probe("acme")
    host.start("acme/site")
    assert host.stop()[0] == 0
    remove(host, acme)
    globex = host.add_tenant("globex")
    host.register(globex, entry(globex, acme.uid, acme.uid))
    return acme, globex


LEAVE_QUEUE = "import ctypes; libc = ctypes.CDLL(None); assert libc.mq_open(b'/rowhouse-{uid}', 0o102, 0o600, None) >= 0"
LEAVE_SHARED = "import ctypes; libc = ctypes.CDLL(None); assert libc.shmget(0, 4096, 0o1600) >= 0"


def forget_ipc(uid):
    libc = ctypes.CDLL(None)
    libc.mq_unlink(f"/rowhouse-{uid}".encode())
    for line in pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[7]) == uid:
            libc.shmctl(int(words[1]), 0, None)


def test_a_uid_is_given_on_only_when_nothing_of_its_former_tenant_is_left(host, heir):
    acme, globex = heir
    file = pathlib.Path(f"/var/tmp/rowhouse-left-{acme.uid}")
    child = as_uid(acme.uid, LEAVE_QUEUE.format(uid=acme.uid) + "\n" + LEAVE_SHARED + f"\nopen('{file}', 'w')")
    try:
        restart(host)
        said = problem_of(host, "globex")
        for word in (f"process {child.pid}", "System V shared memory", f"POSIX message queue /rowhouse-{acme.uid}",
                     str(file), f"the home {acme.home}", "tenant acme"):
            assert word in said, said
        assert processes.processes_of_uids([acme.uid]) == [processes.read_process(child.pid)]
        end(child)
        forget_ipc(acme.uid)
        file.unlink()
        restart(host)
        said = problem_of(host, "globex")
        assert f"the home {acme.home}" in said and "process" not in said and "message queue" not in said, said
    finally:
        if child.poll() is None:
            end(child)
        forget_ipc(acme.uid)
        file.unlink(missing_ok=True)
    os.chown(acme.home, 0, 0)
    os.chown(globex.home, acme.uid, acme.uid)
    host.tenants["globex"].uid = acme.uid
    globex.copy(pathlib.Path(__file__).parent / "apps" / "probe", "probe")
    host.set_probe(globex)
    restart(host, "globex/site")
    assert host.http(globex.domain).status == 200


def test_a_former_tenant_comes_back_with_its_uid_at_any_time(host, heir):
    acme, globex = heir
    remove(host, globex)
    host.register(acme)
    restart(host, "acme/site")
    assert host.http(acme.domain).status == 200


def test_a_name_keeps_its_uid_while_its_home_does(host):
    acme = host.add_probe("acme")
    host.start("acme/site")
    host.register(acme, entry(acme, acme.uid + 5, acme.uid + 5))
    restart(host)
    said = problem_of(host, "acme")
    assert f"had uid {acme.uid}" in said and f"the home {acme.home}" in said, said
    # What was accepted last is in force, under the uid that it had.
    host.wait_running("acme/site")
    assert processes.processes_of_uids([acme.uid]) and not processes.processes_of_uids([acme.uid + 5])


def test_check_says_beforehand_that_an_id_is_not_free(host, heir):
    from rowhouse_host import BUILD
    host.write_config()
    done = subprocess.run([BUILD / "rowhoused", "--config", host.config_path, "--check"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "globex.yaml" in done.stdout and "tenant acme" in done.stdout, done.stdout


def test_the_list_survives_a_kill_and_is_roots_alone(host):
    host.add_probe("acme")
    host.start("acme/site")
    stored = host.directory / "state" / "tenants"
    assert stored.stat().st_uid == 0 and stored.stat().st_mode & 0o777 == 0o600
    assert b"acme" in stored.read_bytes()
    host.stop(number=signal.SIGTERM)
    before = stored.read_bytes()
    restart(host, "acme/site")
    assert stored.read_bytes() == before


# --- ids that nobody gets (S22, A09) -------------------------------------------------------------------------------
@pytest.fixture
def globex(host):
    return host.add_probe("globex")


def refused(host, acme, text, *words):
    is_refused(host, acme, text, *words)
    assert not processes.processes_of_uids([acme.uid])


def is_refused(host, acme, text, *words):
    host.register(acme, text)
    restart(host, "globex/site")
    said = problem_of(host, "acme")
    assert all(word in said for word in words), said
    assert host.http("globex.test").status == 200


def has_name(uid):
    try:
        return pwd.getpwuid(uid) is not None
    except KeyError:
        return False


def test_every_reserved_uid_is_refused_with_its_reason(host, globex):
    acme = host.add_probe("acme")
    low = next(uid for uid in range(999, 100, -1) if not has_name(uid))
    reasons = {0: "root", 65534: "nobody", 65535: "16 bits", 4294967295: "no change", low: "uids.min",
               host.gateway_uid: "Rowhouse", host.control_uid: "Rowhouse", globex.uid: "globex"}
    for uid, reason in reasons.items():
        text = entry(acme).replace(f"uid: {acme.uid}\n", f"uid: {uid}\n", 1)
        refused(host, acme, text, str(uid), reason)


def test_every_group_with_power_over_the_host_is_refused_by_its_name(host, globex):
    import grp
    acme = host.add_probe("acme")
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    tried = [name for name in PRIVILEGED if name in known]
    assert {"root", "shadow", "disk", "adm", "sudo"} <= set(tried)
    for name in tried:
        refused(host, acme, entry(acme, gid=None).replace(f"gid: {acme.uid}", f"gid: {known[name]}"), name)


def test_a_uid_with_the_group_of_another_tenant_is_refused_and_the_other_keeps_running(host, globex):
    acme = host.add_probe("acme")
    host.start("acme/site", "globex/site")  # both are known from here on
    is_refused(host, acme, entry(acme, gid=globex.uid), f"gid {globex.uid}", "globex")
    host.wait_running("acme/site")  # as it was accepted last
    for process in processes.processes_of_uids([acme.uid]):
        assert globex.uid not in (processes.gids_of(process.pid) or ())
