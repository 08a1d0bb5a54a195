"""What users of one kernel share by custom: one tenant finds nothing of another's there."""
import os
import subprocess

import processes
import pytest
from actors import SECONDS, Bare, Walled, add_attacker, end, give_attacks

TWO_APPS = """
apps:
  site:
    routes: [acme.test]
    wsgi: bad_app:application
    directory: bad
    threads: 8
  second:
    routes: [second.acme.test]
    wsgi: bad_app:application
    directory: bad
    threads: 2
"""


@pytest.fixture(scope="module")
def street(module_host, share):
    acme = module_host.add_tenant("acme", TWO_APPS, domains=["acme.test", "second.acme.test"])
    give_attacks(acme)
    globex = add_attacker(module_host, "globex")
    globex.put("site/config.py", "PASSWORD = 'of globex'\n", 0o644)
    globex.home.chmod(0o755)  # as careless as a tenant may be
    module_host.add_bystander()
    module_host.start("acme/site", "acme/second", "globex/site", "bystander/site")
    share(module_host)
    return module_host


@pytest.fixture(scope="module")
def walled(street):
    """The attacker A and its neighbour B."""
    return Walled(street, street.tenants["acme"]), Walled(street, street.tenants["globex"])


@pytest.fixture
def bare(street):
    with Bare(street.tenants["acme"]) as a, Bare(street.tenants["globex"]) as b:
        yield a, b


def unique(text):
    return f"rowhouse-{text}-{os.getpid()}"


@pytest.mark.case("X01")
def test_a_file_in_tmp_is_not_seen_by_a_neighbour(case, walled, bare):
    def attempt(a, b):
        path = f"/tmp/{unique('tmp')}"
        assert a.ask("bad_sharing.write", path=path) == 1
        seen = b.ask("bad_sharing.exists", path=path)
        a.ask("bad_sharing.remove", path=path)
        return seen

    case.control(f"seen: {attempt(*bare)}")
    seen = attempt(*walled)
    case.walls(f"seen: {seen}")
    assert seen is False


@pytest.mark.case("X02")
def test_posix_shared_memory_is_not_found_by_a_neighbour(case, walled, bare):
    def attempt(a, b):
        name = f"/{unique('row')}"
        assert a.ask("bad_sharing.create_posix_memory", name=name) == "created"
        found = b.ask("bad_sharing.attach_posix_memory", name=name)
        a.ask("bad_sharing.remove_posix_memory", name=name)
        return found

    case.control(attempt(*bare))
    found = attempt(*walled)
    case.walls(found)
    assert found == "ENOENT"


@pytest.mark.case("X03")
def test_sysv_shared_memory_is_not_found_by_a_neighbour(case, walled, bare):
    def attempt(a, b):
        key = 0x12340000 | (os.getpid() & 0xFFFF)
        assert a.ask("bad_sharing.create_sysv_memory", key=key) == "created True"
        found = b.ask("bad_sharing.find_sysv_memory", key=key)
        a.ask("bad_sharing.remove_sysv_memory", key=key)
        return found

    case.control(attempt(*bare))
    found = attempt(*walled)
    case.walls(found)
    assert found == "ENOENT"


def missing_walls(walled):
    return walled.host.status(walled.name)["sandbox"]["missing"]


@pytest.mark.case("X04")
def test_an_abstract_socket_of_a_neighbour_cannot_be_connected_to_and_what_stays_open_is_named(case, walled, bare):
    a, b = walled
    control_a, control_b = bare
    name = unique("memcached-bare")
    assert control_a.ask("bad_sharing.bind_abstract", name=name) == "bound"
    case.control(control_b.ask("bad_sharing.connect_abstract", name=name))
    name = unique("memcached")
    assert a.ask("bad_sharing.bind_abstract", name=name) == "bound"
    assert a.ask("bad_sharing.connect_abstract", name=name) == "connected"  # the twin: its own it may use
    reached = b.ask("bad_sharing.connect_abstract", name=name)
    # One network namespace has one set of names, so a name can still be taken away.
    taken = b.ask("bad_sharing.bind_abstract", name=name)
    case.walls(f"{reached}; same name: {taken}, named as missing: {'private-network' in missing_walls(b)}")
    if "landlock-scopes" not in missing_walls(b):
        assert reached == "EPERM"
    assert taken == "EADDRINUSE" and "private-network" in missing_walls(b)


@pytest.mark.case("X05")
def test_a_neighbours_loopback_port_is_open_on_the_hosts_network_and_the_status_says_so(case, walled, bare):
    a, b = walled
    control_a, control_b = bare
    case.control(control_a.ask("bad_sharing.connect_on_loopback",
                               port=control_b.ask("bad_sharing.listen_on_loopback")), held=False)
    reached = a.ask("bad_sharing.connect_on_loopback", port=b.ask("bad_sharing.listen_on_loopback"))
    case.walls(f"{reached}, named as missing: {'private-network' in missing_walls(a)}")
    assert reached == "connected"  # else the next line claims too little
    assert "private-network" in missing_walls(a)


def job_of(tenant):
    """A process of the tenant's outside the sandbox, such as a cron job."""
    job = subprocess.Popen(["/bin/sleep", "600"], user=tenant.uid, group=tenant.uid, extra_groups=[],
                           start_new_session=True)
    return processes.read_process(job.pid)


def last_pid():
    """All numbers in a long run; else as far as this host has got."""
    if SECONDS >= 10:
        return 1 << 22
    return max(p.pid for p in processes.all_processes()) + 1000


@pytest.mark.case("X06")
def test_killing_every_pid_reaches_nobody_outside_the_sandbox(case, street, walled, bare, invariants):
    invariants.expect_change("cgroups")  # the worker that kills itself is replaced
    a, b = walled
    acme = street.tenants["acme"]
    job = job_of(acme)
    case.control(f"a job of the tenant's: {bare[0].ask('bad_sharing.signal', pid=job.pid, number=9)}")
    end(job)
    job, neighbour = job_of(acme), b.pid
    try:
        a.try_order("bad_sharing.sweep", last=last_pid(), patience=60 + SECONDS)
        a.wait_ready()
        case.walls(f"a job of the tenant's lives: {job.is_alive()}")
        assert job.is_alive()
        assert b.pid == neighbour
    finally:
        end(job)
    Walled(street, acme, "second").wait_ready()


@pytest.mark.case("X07")
def test_a_world_readable_file_in_a_neighbours_home_does_not_exist(case, street, walled, bare):
    path = str(street.tenants["globex"].home / "site" / "config.py")
    assert walled[1].ask("bad_sharing.read", path=path).startswith("PASSWORD")
    case.control(bare[0].ask("bad_sharing.read", path=path))
    read = walled[0].ask("bad_sharing.read", path=path)
    case.walls(read)
    assert read == "ENOENT"


@pytest.mark.case("X17")
def test_a_second_app_of_the_same_tenant_does_not_see_the_first(case, street, walled, bare):
    acme = street.tenants["acme"]
    first, second = walled[0], Walled(street, acme, "second", "second.acme.test")
    with Bare(acme) as victim:
        control = bare[0].ask("bad_sharing.look_into", pid=victim.pid)
    case.control(control)
    assert control == {"kill": "ok", "memory": "ok", "trace": "ok"}
    own = second.ask("bad_sharing.processes")
    assert len(own) <= 3 and second.ask("bad_sharing.own_pid") in own
    for pid in (first.pid, processes.read_process(first.pid).parent):
        assert pid not in own
        seen = second.ask("bad_sharing.look_into", pid=pid)
        case.walls(seen)
        assert seen == {"kill": "ESRCH", "memory": "ENOENT", "trace": "EPERM"}
