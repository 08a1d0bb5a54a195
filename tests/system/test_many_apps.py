"""Many apps that sleep cost next to nothing, and one that dies again and again costs its neighbours nothing.

ROWHOUSE_MANY_TENANTS=1000 asks for so many tenants with one app each, of uids from 300000 on."""
import math
import os
import pathlib
import time

import processes
from processes import wait_until

MANY = int(os.environ.get("ROWHOUSE_MANY_TENANTS", "12"))
OWN_UIDS = 16  # that the fixture has for tenants
PLAN = "  test: { memory: 512M, pids: 128, workers: 64, threads: 16, concurrency: 200, queue: 200 }\n"


def pss_bytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def house_bytes(host):
    """Of all processes of Rowhouse together."""
    return sum(pss_bytes(p.pid) for p in processes.descendants(host.daemon.pid)) + pss_bytes(host.daemon.pid)


def count_groups(host):
    host.note_processes()
    return sum(1 for root in host.cgroup_roots for _ in root.rglob("*/") if root.exists())


def all_apps(host):
    return host.cli("status", "--json", timeout=120).json["apps"]


def settle(host, count):
    return wait_until(lambda: len(all_apps(host)) == count, 300, f"{count} apps are known")


def test_sleeping_apps_are_configured_in_seconds_and_cost_little(host):
    host.plans, host.gateways = PLAN, 2
    host.add_probe("first", workers="{ min: 0, max: 1 }")
    host.start()
    settle(host, 1)
    bytes_before, groups_before = house_bytes(host), count_groups(host)
    host.stop(seconds=60)
    if MANY > OWN_UIDS:
        host.next_uid = 300_000 + os.getpid() % 100 * 2_000
    for number in range(MANY - 1):
        host.add_tenant(f"t{number}", f"apps:\n  site: {{ routes: [t{number}.test], wsgi: 'probe:application', "
                                      "workers: { min: 0, max: 1 } }\n")
    began = time.monotonic()
    host.start()
    settle(host, MANY)
    took = time.monotonic() - began
    assert {app["state"] for app in all_apps(host)} == {"idle"}
    each = (house_bytes(host) - bytes_before) / (MANY - 1)
    groups = count_groups(host) - groups_before
    print(f"{MANY} tenants with one sleeping app each: known after {took:.1f} s, {each / 1024:.1f} KiB of memory each, "
          f"{groups} cgroups more")
    assert groups <= 0, "a sleeping app has no cgroup"
    assert took < 10 + MANY / 4
    # With few the common growth of heaps counts for much.
    assert each < (20 * 1024 if MANY >= 500 else 256 * 1024)
    answer = host.http("first.test")
    assert answer.status == 200


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, math.ceil(part * len(values)) - 1)]


def measure(host, domain, count=300):
    times = []
    for _ in range(count):
        began = time.monotonic()
        assert host.http(domain).status == 200
        times.append(time.monotonic() - began)
    return times


def most_starts(seconds):
    """Of an app that dies at once, with backoff of 100 ms doubled up to 60 s, each at least 75 % of that."""
    at, delay, starts = 0.0, 0.1, 2
    while at < seconds:
        at += 0.75 * delay
        delay = min(60.0, 2 * delay)
        starts += 1
    return starts


def test_a_crash_loop_is_bounded_and_its_neighbour_does_not_notice(host):
    host.add_probe("healthy")
    host.start("healthy/site")
    host.stop()
    sick = host.add_probe("sick")
    host.start("healthy/site", "sick/site")
    alone = measure(host, "healthy.test")
    sick.put("probe/probe.py", "import os\nwith open('starts', 'a') as file:\n    file.write('x')\nos._exit(3)\n")
    sick.own(sick.home / "probe")
    began = time.monotonic()
    for pid in host.worker_pids("sick/site"):
        os.kill(pid, 9)
    starts = sick.home / "probe/starts"
    wait_until(starts.exists, 20, "the crash loop has begun")
    beside = measure(host, "healthy.test")
    wait_until(lambda: host.status("sick/site")["state"] == "backoff", 20, "it is in backoff")
    wait_until(lambda: len(starts.read_text()) >= 5, 30, "five starts")
    count, took = len(starts.read_text()), time.monotonic() - began
    ratio = percentile(beside, 0.99) / percentile(alone, 0.99)
    print(f"{count} starts in {took:.1f} s (at most {most_starts(took)}); the neighbour's p99 {ratio:.2f} times")
    assert count <= most_starts(took)
    # What a busy machine does to 300 requests is not the crash loop's.
    assert percentile(beside, 0.99) < 3 * percentile(alone, 0.99) + 0.1
    answer = host.http("sick.test")
    assert (answer.status, answer.cause) == (503, "RH-BACKOFF")
    assert int(answer.header("Retry-After")) >= 1


def test_apps_of_a_boot_start_in_a_stream_and_a_wanted_one_does_not_wait_for_it(host):
    host.plans = PLAN
    host.add_probe("sleeper", workers="{ min: 0, max: 1 }")
    tenant = host.add_tenant("many")
    from rowhouse_host import APPS
    tenant.copy(APPS / "probe", "probe")
    count = 30
    tenant.manifest("apps:\n" + "".join(
        f"  a{n}: {{ routes: [many.test/a{n}], wsgi: 'probe:application', directory: probe, "
        "timeouts: { startup: 120s } }\n" for n in range(count)))
    host.start()
    wait_until(lambda: len(all_apps(host)) == count + 1, 60, "all apps are known")
    answer = host.http("sleeper.test", timeout=60)
    assert answer.status == 200
    waiting = sum(app["state"] == "starting" for app in all_apps(host))
    print(f"{waiting} of {count} apps were still starting when the sleeper had answered")
    wait_until(lambda: all(a["state"] == "running" for a in all_apps(host) if a["tenant"] == "many"), 300,
               "all apps of the boot run")
