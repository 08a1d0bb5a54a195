"""A tenant that takes all it can get of one thing: the kernel stops it at its own limit, and its neighbour goes on."""
import json
import os
import pathlib
import shutil
import tempfile
import threading

import pytest
from actors import SECONDS, Bare, Pulse, Walled, add_attacker, waited
from processes import wait_until
from rowhouse_host import SLOW
from tenant_groups import TenantGroup, cpu_seconds

MIB = 1 << 20
LIMIT = 96 * MIB  # of the plan below, and so of the attacker
TOO_MUCH = 3 * LIMIT
PLANS = """\
  test: { memory: 512M, pids: 128, workers: 4, threads: 16, concurrency: 200, queue: 200 }
  small: { memory: 96M, cpu: 50%, pids: 96, workers: 2, threads: 8, concurrency: 8, queue: 20 }
"""
REGISTRY = ("uid: {tenant.uid}\ngid: {tenant.uid}\nhome: {tenant.home}\nplan: small\n"
            "domains: [{tenant.domains[0]}]\nmanifest: rowhouse.yaml\n")
# What is left of a core for a neighbour is the host's question; that it is left is ours.
BAND_S = 3.0 if SLOW else 0.25


@pytest.fixture(scope="module")
def street(module_host, share):
    module_host.plans = PLANS
    add_attacker(module_host, "acme", registry=REGISTRY)
    add_attacker(module_host, "globex")
    module_host.add_bystander()
    module_host.start("acme/site", "globex/site", "bystander/site")
    share(module_host)
    return module_host


@pytest.fixture
def a(street, invariants):
    invariants.expect_change("cgroups")  # a worker that was killed is replaced
    walled = Walled(street, street.tenants["acme"])
    walled.wait_ready()
    return walled


@pytest.fixture
def b(street):
    return Walled(street, street.tenants["globex"])


@pytest.fixture
def bare(street):
    with Bare(street.tenants["acme"]) as child:
        yield child


def in_background(action):
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


@pytest.mark.case("X10")
def test_64_busy_processes_get_the_processor_time_of_their_plan_and_the_neighbour_its_own(case, street, a, b):
    def burn(tenant, seconds):
        """How many cores it had, and how often it had to wait for its next share of them."""
        group, uid = TenantGroup(tenant.pid, tenant.tenant.name), tenant.tenant.uid
        throttled, before = group.throttled, cpu_seconds(uid)
        _, took = waited(lambda: tenant.ask("bad_hunger.burn", processes=64, seconds=seconds,
                                            patience=60 + 8 * SECONDS))
        return (cpu_seconds(uid) - before) / took, group.throttled - throttled

    # How many cores a tenant without a limit gets depends on who else wants them; that it never waits does not.
    control, waits = burn(b, SECONDS / 4)
    case.control(f"{control:.1f} cores, throttled {waits} times", held=waits > 0)
    with Pulse(street, b.tenant.domain) as pulse:
        used, waits = burn(a, SECONDS / 2)
    case.walls(f"{used:.1f} cores, throttled {waits} times, neighbour's p99 {pulse.percentile(0.99) * 1000:.0f} ms")
    assert used < 0.6 and waits > 0
    assert not pulse.wrong and pulse.percentile(0.99) < BAND_S


def starve(a, b, order, **arguments):
    """Orders the attack: what came of it, and how many bytes the tenant was charged for what it still holds."""
    group, neighbour = TenantGroup(a.pid, a.tenant.name), TenantGroup(b.pid, b.tenant.name)
    worker, kills, before = b.pid, neighbour.oom_kills, group.read("memory")
    answer = a.try_order(order, **arguments)
    assert group.read("memory limit") == LIMIT
    assert group.read("memory peak") <= LIMIT
    assert neighbour.oom_kills == kills and b.pid == worker
    if answer is not None and answer.status == 200:
        charged = group.read("memory") - before
        a.ask("bad_hunger.let_go")
        return json.loads(answer.text)["value"], charged
    status = a.host.wait_status(a.name, lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-OOM")
    a.wait_ready()
    return status["last_exit"]["code"], 0


@pytest.mark.case("X11")
def test_memory_beyond_the_plan_kills_only_the_worker_that_wants_it(case, street, a, b, bare):
    case.control(bare.ask("bad_hunger.take_heap", size=TOO_MUCH))
    with Pulse(street, b.tenant.domain) as pulse:
        came, _ = starve(a, b, "bad_hunger.take_heap", size=10 << 30)
    case.walls(came)
    assert came == "RH-OOM"
    assert not pulse.wrong and pulse.percentile(0.99) < BAND_S


@pytest.mark.case("X12")
@pytest.mark.parametrize("kind, arguments", [
    ("files", {"path": "/tmp/taken"}),
    ("files", {"path": "/dev/shm/taken"}),
    ("memfd", {}),
    ("pipe_buffers", {}),
    ("socket_buffers", {}),
    ("page_tables", {}),
], ids=["tmp", "shm", "memfd", "pipes", "sockets", "page-tables"])
def test_memory_that_is_not_heap_is_charged_to_its_tenant_too(case, a, b, bare, kind, arguments):
    elsewhere = {"path": f"/dev/shm/rowhouse-taken-{os.getpid()}"} if "path" in arguments else {}
    case.control(bare.ask(f"bad_hunger.take_{kind}", size=TOO_MUCH, **elsewhere))
    came, charged = starve(a, b, f"bad_hunger.take_{kind}", size=TOO_MUCH, **arguments)
    case.walls(came)
    if came == "RH-OOM":
        return
    # Something else was in the way first: then what was taken is below the limit and on the tenant's account.
    took = int(came.split()[1]) * MIB
    assert "then" in came and took < LIMIT
    assert charged > 0.8 * took


@pytest.mark.case("X13")
def test_a_million_files_in_tmp_end_at_its_own_limit(case, a, bare):
    # In the home it is the file system's quota that ends them; the host sets it.
    parent = pathlib.Path(tempfile.mkdtemp(prefix="rowhouse-files-"))
    try:
        os.chown(parent, a.tenant.uid, a.tenant.uid)
        case.control(bare.ask("bad_hunger.make_files", directory=str(parent / "many"), count=20_000))
    finally:
        shutil.rmtree(parent)
    made = a.ask("bad_hunger.make_files", directory="/tmp/many", count=1_000_000)
    case.walls(made)
    a.ask("bad_hunger.remove_files", directory="/tmp/many")
    assert made.endswith("No space left on device") and int(made.split()[0]) <= 16 * 1024


@pytest.mark.case("X14")
def test_pipes_are_limited_for_each_uid_so_a_neighbour_can_still_grow_its_own(case, a, b, bare):
    # The kernel's limit (fs.pipe-user-pages-soft) counts by uid: it holds for whoever has a uid of his own.
    soft = int(pathlib.Path("/proc/sys/fs/pipe-user-pages-soft").read_text()) * 4096 // MIB
    control = bare.ask("bad_hunger.grow_pipes", count=4096)
    bare.ask("bad_hunger.close_pipes")
    case.control(f"{control['then']}", held=control["then"] != "no refusal")
    got = a.ask("bad_hunger.grow_pipes", count=4096)
    neighbours = b.ask("bad_hunger.grow_pipes", count=4)
    case.walls(f"{got['then']} after {got['grown']}, neighbour: {neighbours['grown']} of 4")
    a.ask("bad_hunger.close_pipes")
    b.ask("bad_hunger.close_pipes")
    assert got["then"] == "Operation not permitted" and got["grown"] <= soft
    assert neighbours == {"grown": 4, "then": "no refusal"}


@pytest.mark.case("X16")
def test_a_storm_of_lookups_is_charged_to_its_tenant_and_the_neighbour_keeps_its_pace(case, street, a, b):
    group = TenantGroup(a.pid, a.tenant.name)
    with Pulse(street, b.tenant.domain) as pulse:
        rounds = a.ask("bad_hunger.storm", directory=str(a.tenant.home), seconds=SECONDS, patience=60 + SECONDS)
    case.no_control("without a charge the storm is the whole machine's")
    case.walls(f"{rounds} rounds, neighbour's p99 {pulse.percentile(0.99) * 1000:.0f} ms")
    assert rounds > 0
    assert group.read("memory peak") <= LIMIT
    assert not pulse.wrong and pulse.percentile(0.99) < BAND_S


@pytest.mark.case("X20")
def test_a_tenant_that_fills_its_log_delays_no_line_of_its_neighbours(case, street, a, b):
    shouting = in_background(lambda: a.try_order("bad_hunger.shout", seconds=SECONDS, line="x" * 200,
                                                 patience=60 + SECONDS))
    try:
        took = []
        for number in range(3):
            line = f"whisper {os.getpid()} {number}"
            b.ask("bad_hunger.whisper", line=line)
            took.append(waited(lambda: wait_until(  # pylint: disable=cell-var-from-loop
                lambda: line in street.cli("logs", b.name).out, 5, "the neighbour's line"))[1])
        assert shouting.is_alive(), "the attack ended before it was measured"
    finally:
        shouting.join(60 + SECONDS)
    case.no_control("without Rowhouse there is no common log")
    case.walls(f"the neighbour's line after {max(took) * 1000:.0f} ms")
    assert max(took) < 1
    wait_until(lambda: "bytes dropped" in street.cli("logs", "-n", 10000, a.name).out, 5, "the loss is told")


@pytest.mark.case("X21")
def test_clients_that_wait_for_ever_fill_their_own_apps_queue_only(case, street, a, b):
    from http_client import Connection
    hanging = json.dumps({"do": "bad_hunger.sleep", "arguments": {"seconds": SECONDS + 1}}).encode()
    clients = []
    try:
        for _ in range(300):
            clients.append(Connection(street.port, timeout=30))
            clients[-1].send(a.tenant.domain, "/do", method="POST", body=hanging)
        with Pulse(street, b.tenant.domain) as pulse:
            refused = wait_until(lambda: street.http(a.tenant.domain), 10, "an answer")
            threading.Event().wait(SECONDS / 2)  # as long as the neighbour is watched
    finally:
        for client in clients:
            client.close()
    case.no_control("without its queue the gateway is another program")
    case.walls(f"own queue: {refused.status} {refused.cause}, neighbour's p99 {pulse.percentile(0.99) * 1000:.0f} ms")
    assert (refused.status, refused.cause) == (503, "RH-QUEUE-FULL")
    assert not pulse.wrong and pulse.percentile(0.99) < BAND_S
    wait_until(lambda: street.http(a.tenant.domain).status == 200, 30, "the attacker's own site comes back")
