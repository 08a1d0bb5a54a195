"""The tenant outside the sandbox, with the same uid, and what reaches the service manager from inside."""
import os
import pathlib
import re
import socket
import stat
import subprocess

import processes
import pytest
from actors import PYTHON, SECONDS, Bare, Walled, add_attacker, supervisor_of
from http_client import Connection

OUR_SECRET, THEIR_SECRET = "secret-of-the-supervisor", "secret-of-globex"
NOTIFY = f"@rowhouse-attack-notify-{os.getpid()}"


@pytest.fixture(scope="module")
def manager():
    """A service manager's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind("\0" + NOTIFY[1:])
        made.setblocking(False)
        yield made


@pytest.fixture(scope="module")
def street(module_host, share, manager):
    add_attacker(module_host, "acme")
    add_attacker(module_host, "globex", env=f"{{ DATABASE_PASSWORD: {THEIR_SECRET} }}")
    module_host.add_bystander()
    module_host.start("acme/site", "globex/site", "bystander/site",
                      environment={"OUR_SECRET": OUR_SECRET, "NOTIFY_SOCKET": NOTIFY})
    share(module_host)
    return module_host


def restart(street, app="acme/site"):
    answer = street.cli("restart", app)
    assert answer.code == 0, answer


@pytest.mark.case("S21")
def test_there_is_no_socket_with_a_name_that_a_tenant_could_exchange(case, street, acme, bare):
    case.no_control("there is no socket to exchange")
    sockets = [path for path in street.directory.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)]
    case.walls(f"sockets with a path: {[path.name for path in sockets]}")
    assert sockets == [street.socket_path]
    run = street.socket_path.parent
    assert run.stat().st_uid == 0 and not run.stat().st_mode & 0o022
    assert bare.ask("bad_outside.rename", path=str(run), target=str(run) + ".away") == "EACCES"
    assert bare.ask("bad_sharing.remove", path=str(street.socket_path)) == "EACCES"
    named = pathlib.Path(f"/proc/{acme.pid}/net/unix").read_text()
    for name in os.listdir(f"/proc/{acme.pid}/fd"):
        link = os.readlink(f"/proc/{acme.pid}/fd/{name}")
        if link.startswith("socket:"):
            [line] = [line.split() for line in named.splitlines() if line.split()[6] == link[8:-1]]
            assert len(line) == 7, line  # no path stands behind the inode


@pytest.mark.case("S23")
def test_after_many_starts_under_many_connections_a_worker_has_only_its_own_descriptors(case, street, acme, invariants):
    case.no_control("a child of nobody inherits nothing of ours")
    invariants.expect_change("descriptors", "memory")  # of the gateways, which hold what follows
    first, cycles = acme.ask("bad_processes.descriptors"), 0
    clients = [Connection(street.port) for _ in range(500)]
    try:
        for client in clients[::10]:
            client.send("acme.test", "/hello")
        for cycles in range(1, 1000 if SECONDS >= 10 else 12):
            restart(street)
        now = acme.ask("bad_processes.descriptors")
    finally:
        for client in clients:
            client.close()
    kinds = sorted(kind for kind, _ in now.values())
    case.walls(f"{len(now)} after {cycles} starts, {len(first)} after the first")
    assert kinds == sorted(kind for kind, _ in first.values())
    assert set(now) == set(first)
    # The log and /dev/null go on to children; nothing else does.
    assert {name for name, (_, inherited) in now.items() if inherited} == {"0", "1", "2"}


@pytest.mark.case("S24")
def test_from_a_shell_no_secret_of_another_is_seen_in_any_process(case, street, bare):
    globex = street.tenants["globex"]
    job = subprocess.Popen([PYTHON, "-c", "import time; time.sleep(600)", THEIR_SECRET], user=globex.uid,
                           group=globex.uid, extra_groups=[], start_new_session=True)
    try:
        seen = bare.ask("bad_outside.count_in_all", what="cmdline", text=THEIR_SECRET)
        case.control(f"as an argument: seen in {seen} processes", held=seen == 0)
    finally:
        job.kill()
        job.wait()
    found = {(what, text): bare.ask("bad_outside.count_in_all", what=what, text=text)
             for what in ("cmdline", "environ") for text in (THEIR_SECRET, OUR_SECRET)}
    case.walls(f"seen in {sum(found.values())} processes")
    assert not any(found.values()), found
    inside = Walled(street, globex)
    assert inside.ask("bad_processes.environment")["DATABASE_PASSWORD"] == THEIR_SECRET  # the twin
    assert THEIR_SECRET not in inside.ask("bad_processes.first_environment")
    assert OUR_SECRET not in str(inside.ask("bad_processes.environment"))


def memory_of(pid):
    """All that is mapped, of what can be read."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(word, 16) for word in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line:
                continue
            try:
                memory.seek(first)
                yield memory.read(last - first)
            except (OSError, OverflowError):
                pass


@pytest.mark.case("S25")
@pytest.mark.parametrize("way", ["ambush", "trap"])
def test_the_same_uid_outside_enters_no_process_before_its_exec(case, street, acme, bare, way):
    uid = street.tenants["acme"].uid
    with Bare(street.tenants["acme"]) as victim:
        control = bare.ask(f"bad_outside.{way}", uid=uid, seconds=0.2, skipped=[])
        entered = control.get("entered") or control["caught"]
        case.control(f"{'in' if entered else 'not in'} a plain process of the uid", held=not entered)
        skipped = [victim.pid, bare.pid]
        bare.order(f"bad_outside.{way}", uid=uid, seconds=SECONDS, skipped=skipped)
        starts = 0
        while (told := bare.answer(0)) is None:
            starts += street.cli("restart", "acme/site").code == 0
    names = told.get("programs", told.get("caught"))
    case.walls(f"{starts} starts, {told['refused']} refusals, entered: {', '.join(names)}")
    assert starts > 2 and told["refused"] > 10, "the race was not run"
    # The loader of a manifest is the tenant's own process from its exec on: what it says is checked as the tenant's.
    assert not [name for name in names if re.search("jail|rowhoused|gateway|control", name)], names
    acme.wait_ready()
    steward = processes.read_process(acme.pid).parent
    seen = bare.ask("bad_sharing.look_into", pid=steward)
    assert seen["memory"] == "EACCES" and seen["trace"] == "EPERM", seen


@pytest.mark.case("S25")
def test_a_worker_has_nothing_of_the_supervisors_memory(case, street, acme, invariants):
    invariants.expect_change("memory")  # reading all of the supervisor's makes it resident
    marker = OUR_SECRET.encode()
    case.control(f"in the supervisor: {any(marker in part for part in memory_of(supervisor_of(street)))}")
    steward = processes.read_process(acme.pid).parent
    found = [pid for pid in (acme.pid, steward) if any(marker in part for part in memory_of(pid))]
    case.walls(f"in the worker or its steward: {bool(found)}")
    assert not found
    assert any(marker in part for part in memory_of(supervisor_of(street)))


def drain(manager):
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode())
        except BlockingIOError:
            return found


@pytest.mark.case("S26")
def test_the_service_managers_socket_is_not_in_the_sandbox(case, street, acme, bare, manager):
    drain(manager)
    lies = "READY=1\nSTOPPING=1\nMAINPID=1"
    case.control(f"{bare.ask('bad_processes.notify', address=NOTIFY, text=lies)}: {len(drain(manager))} message")
    told = {address: acme.ask("bad_processes.notify", address=address, text=lies)
            for address in (NOTIFY, "/run/systemd/notify")}
    missing = street.status("acme/site")["sandbox"]["missing"]
    case.walls(str(sorted(told.values())))
    assert "NOTIFY_SOCKET" not in acme.ask("bad_processes.environment")
    assert told["/run/systemd/notify"] == "ENOENT"
    if "landlock-scopes" not in missing:
        assert told[NOTIFY] == "EPERM"
        assert lies not in drain(manager)


@pytest.mark.case("S27")
def test_limits_of_own_processes_go_down_only(case, street, acme, bare):
    control = bare.ask("bad_processes.loosen_limits")
    opened = sorted(name for name, said in control.items() if said in ("ok", "unlimited already"))
    case.control(f"raised: {', '.join(opened) or 'none'}", held=not opened)
    told = acme.ask("bad_processes.loosen_limits")
    raised = sorted(name for name, said in told.items() if said in ("ok", "unlimited already"))
    case.walls(f"raised: {', '.join(raised) or 'none'}")
    assert not raised and int(told["score"]) > 0
    assert acme.ask("bad_processes.tighten_limits") == 0


@pytest.mark.case("S28")
def test_a_tenant_that_destroys_its_virtual_environment_breaks_only_its_own_app(case, street, acme, invariants):
    invariants.expect_change("cgroups")
    tenant = street.tenants["acme"]
    tenant.run("/usr/bin/python3", "-m", "venv", "--without-pip", "venv")
    packages = next((tenant.home / "venv" / "lib").glob("python3*")) / "site-packages"
    import _ctypes_test  # a real extension module, whose file the tenant owns then
    library = packages / "bad_native.so"
    library.write_bytes(pathlib.Path(_ctypes_test.__file__).read_bytes())
    os.chown(library, tenant.uid, tenant.uid)
    manifest = (tenant.home / "rowhouse.yaml").read_text()
    tenant.manifest(manifest + "    virtualenv: venv\n")
    restart(street)
    assert acme.ask("bad_hunger.load_library", path=str(library)) == "loaded"
    case.control(f"mapped in the worker: {str(library) in pathlib.Path(f'/proc/{acme.pid}/maps').read_text()}")
    programs = [street.daemon.pid, supervisor_of(street), *street.gateway_pids(),
                *(p.pid for p in processes.processes_of_uids([street.control_uid]))]
    mapped = [pid for pid in programs if str(tenant.home) in pathlib.Path(f"/proc/{pid}/maps").read_text()]
    assert acme.ask("bad_outside.spoil", directory=str(tenant.home / "venv")) > 3
    answer = acme.try_order("bad_hunger.call_library")
    case.walls(f"mapped in {len(mapped)} programs of ours; the app: {answer.status if answer else 'cut'}")
    assert not mapped and answer is not None and answer.status == 502
    processes.wait_until(lambda: "RH-SIGNAL SIGBUS" in street.cli("logs", "acme/site").out, 10, "the death is told")
    assert street.http("globex.test").status == 200
    (tenant.home / "rowhouse.yaml").write_text(manifest)
    restart(street)
