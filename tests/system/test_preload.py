"""preload: true - the app is imported once, in a template, and workers are forked from it."""
import json
import os
import pathlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import processes
import pytest
from django_site import add_django
from load import Load
from processes import wait_until
from rowhouse_host import APPS
from supervisors import end_supervisor, supervisor_pid

APP = "acme/site"
TIMES = "{ startup: 60s, graceful: 5s, shutdown: 3s }"


def add_preloaded(host, name="acme", wish=None, **keys):
    tenant = host.add_tenant(name)
    tenant.copy(APPS / "preloaded", "app")
    tenant.put("app/probe.py", (APPS / "probe" / "probe.py").read_text())
    set_wish(tenant, wish)
    host.set_probe(tenant, **{"wsgi": "preloaded:application", "directory": "app", "preload": "true", **keys})
    return tenant


def set_wish(tenant, wish):
    (tenant.home / "app" / "import-wish").unlink(missing_ok=True)
    if wish is not None:
        tenant.put("app/import-wish", wish)


def lines(tenant, name):
    path = tenant.home / "app" / name
    return path.read_text(encoding="ascii").splitlines() if path.exists() else []


def command(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    except OSError:
        return []


def templates(host, app=APP):
    return [p.pid for p in processes.descendants(host.daemon.pid)
            if command(p.pid) == ["rowhouse-worker", app, "template"] and p.state != "Z"]


def wait_template(host, former=()):
    """The pid of the one template that is none of `former`."""
    return wait_until(lambda: found[0] if len(found := templates(host)) == 1 and found[0] not in former else None, 30,
                      lambda: f"a template other than {former}; there are {templates(host)}; log:\n{host.log[-4000:]}")


def wait_workers(host, count, without=(), app=APP):
    def there():
        pids = host.worker_pids(app)
        return pids if len(pids) == count and not set(pids) & set(without) else None

    return wait_until(there, 60, lambda: f"{count} workers without {without}: {host.status(app)}; log:\n{host.log[-4000:]}")


def occupy_all(host, tenant, count):
    """What each of `count` workers says of itself; they are asked at once, so that all are."""
    found = {}
    with ThreadPoolExecutor(2 * count) as pool:
        deadline = time.monotonic() + 60
        while len(found) < count:
            assert time.monotonic() < deadline, f"answers of {count} workers, had {sorted(found)}"
            for answer in pool.map(lambda _: host.http(tenant.domain, "/facts?s=0.2"), range(2 * count)):
                told = json.loads(answer.text)
                found.setdefault(told["pid"], told)
    return list(found.values())


def test_workers_are_forked_from_one_import(host):
    acme = add_preloaded(host, workers=4, threads=2)
    host.start(APP)
    wait_workers(host, 4)
    template = wait_template(host)
    told = occupy_all(host, acme, 4)
    assert len(lines(acme, "imports")) == 1
    [imported_by] = {each["imported_by"] for each in told}
    assert imported_by not in [each["pid"] for each in told]
    for each in told:
        assert each["parent"] == 1, "the steward is the parent of every worker"
        assert each["session"] == each["pid"]
        assert each["frozen"] > 1000
        assert each["command"] == ["rowhouse-worker", APP]
        hooks = each["hooks"]
        assert hooks[-1] == ["child", each["pid"]] and hooks[-2] == ["before", imported_by]
        assert each["threads"] >= 2, "request threads and the watch are made after the fork"
    # Each in its own leaf, the template in another.
    leaves = [tuple(leaf for leaf in each["leaves"] if leaf.startswith("w")) for each in told]
    assert all(len(leaf) == 1 for leaf in leaves) and len(set(leaves)) == 4, leaves
    groups = pathlib.Path(f"/proc/{template}/cgroup").read_text()
    assert all(f"/{leaf}\n" not in groups for [leaf] in leaves) and "/w" in groups
    assert template not in host.worker_pids(APP)
    # Administrators and the tenant see it, with the memory that the workers share.
    [shown] = host.status(APP)["templates"]
    assert (shown["pid"], shown["state"]) == (template, "ready") and shown["memory_bytes"] > 1 << 20
    assert "template, ready" in host.cli("status", APP, uid=acme.uid).out
    # Only its own: no descriptor of the template's is left in a worker.
    kept = [[kind for kind in each["descriptors"] if not kind.startswith("/")] for each in told]
    assert all(kinds == kept[0] for kinds in kept), kept


def test_what_must_differ_between_workers_differs(host):
    acme = add_preloaded(host, workers=4)
    host.start(APP)
    wait_workers(host, 4)
    told = occupy_all(host, acme, 4)
    for what in ("random", "uuid4", "uuid1", "tls", "temporary", "pid"):
        assert len({each[what] for each in told}) == 4, (what, told)
    assert len({each["hash"] for each in told}) == 1, "the seed of str hashes is the template's, as the manual says"
    assert len({each["own"] for each in told}) == 1, "a generator with a seed of the app's is the app's own, as it says"


def test_output_goes_to_the_log_under_the_workers_own_number(host):
    acme = add_preloaded(host, workers=2)
    host.start(APP)
    wait_workers(host, 2)
    numbers = {processes.inner_pid(w["pid"]): w["worker"] for w in host.status(APP)["workers"]}
    said = {}
    for word in (f"word-{number}" for number in range(10)):
        said[word] = int(host.http(acme.domain, f"/say?text={word}").text)

    def logged():
        lines_now = [json.loads(line) for line in host.cli("logs", APP, "-n", "500", "--json").out.splitlines()]
        found = {entry["text"]: entry["worker"] for entry in lines_now if "worker" in entry}
        wanted = {f"{how} {word}": numbers[pid] for word, pid in said.items() for how in ("printed", "logged")}
        return wanted.items() <= found.items()

    wait_until(logged, 20, lambda: f"{said} {numbers}\n" + host.cli("logs", APP, "-n", "500").out)
    assert set(numbers.values()) == {2, 3}, "the template was number 1"


def test_a_dead_worker_is_replaced_in_milliseconds(host):
    acme = add_preloaded(host, workers=2, wish="slow")
    began = time.monotonic()
    host.start()
    host.wait_running(APP, 60)
    cold_s = time.monotonic() - began
    wait_workers(host, 2)
    took = []
    for _ in range(3):
        former = host.worker_pids(APP)
        template = wait_template(host)
        began = time.monotonic()
        os.kill(former[0], signal.SIGKILL)
        forked = wait_until(lambda: [p.pid for p in processes.descendants(host.daemon.pid)
                                     if command(p.pid) == ["rowhouse-worker", APP] and p.pid not in former],
                            20, "another worker is there")
        forked_s = time.monotonic() - began
        wait_until(lambda: set(forked) & set(host.worker_pids(APP)), 20, "it is ready")
        took.append(forked_s)
        assert templates(host) == [template]
        # Sustained health ends the backoff's memory; here each death waits a little longer than the one before.
        wait_workers(host, 2)
    print(f"\n  replaced within {', '.join(f'{1000 * s:.0f} ms' for s in took)} after its death; "
          f"a cold start takes {1000 * cold_s:.0f} ms")
    assert min(took) < cold_s / 2, "the import takes 2 s, and a replacement does not import"
    assert len(lines(acme, "imports")) == 1


@pytest.mark.parametrize(("how", "code", "detail"), [("status=7", "RH-EXIT", "7"), ("signal=11", "RH-SIGNAL", "SIGSEGV")])
def test_how_a_forked_worker_ended_is_known_exactly(host, how, code, detail):
    acme = add_preloaded(host, workers=1)
    host.start(APP)
    [former] = host.worker_pids(APP)
    assert host.http(acme.domain, f"/leave?{how}").status == 502
    status = host.wait_status(APP, lambda s: s["last_exit"] and former not in [w["pid"] for w in s["workers"]])
    assert status["last_exit"]["code"] == code and status["last_exit"]["detail"].startswith(detail), status
    wait_workers(host, 1, [former])


def test_a_dead_template_costs_no_request_and_comes_back(host):
    acme = add_preloaded(host, workers=2)
    host.start(APP)
    workers = wait_workers(host, 2)
    for _ in range(2):
        template = wait_template(host)
        with Load(host.port, acme.domain, 4) as load:
            load.wait_for(20)
            os.kill(template, signal.SIGKILL)
            wait_template(host, [template])
            load.wait_for(20)
        assert set(load.counts) == {200} and load.wrong == [], load.counts
        assert sorted(host.worker_pids(APP)) == sorted(workers)
    assert host.status(APP)["last_exit"]["code"] == "RH-SIGNAL"
    os.kill(workers[0], signal.SIGKILL)
    wait_workers(host, 2, [workers[0]])
    assert 2 <= len(lines(acme, "imports")) <= 3, "each template imports; the first new one may have been killed before"


def test_an_import_that_fails_is_a_start_that_fails_and_a_restart_leaves_what_serves(host):
    acme = add_preloaded(host, workers=2, wish="fail")
    host.start()
    status = host.wait_status(APP, lambda s: s["last_exit"])
    assert status["last_exit"]["code"] == "RH-IMPORT" and status["last_exit"]["detail"].startswith("import module"), status
    assert "the preloaded app was told to fail" in host.cli("explain", APP).out
    set_wish(acme, None)
    host.wait_running(APP, 60)
    workers = wait_workers(host, 2)
    set_wish(acme, "fail")
    assert host.cli("restart", APP).code == 1
    assert sorted(host.worker_pids(APP)) == sorted(workers) and host.status(APP)["state"] == "degraded"
    assert host.http(acme.domain).status == 200
    wait_until(lambda: len(templates(host)) == 1, 20, "the failed generation's template is gone")
    set_wish(acme, None)
    assert host.cli("restart", APP).code == 0
    assert not set(host.worker_pids(APP)) & set(workers)


def test_threads_of_the_import_are_refused_with_a_sentence(host):
    acme = add_preloaded(host, workers=1, wish="threads")
    host.start()
    status = host.wait_status(APP, lambda s: s["last_exit"])
    assert status["last_exit"]["code"] == "RH-IMPORT", status
    assert status["last_exit"]["detail"].startswith("preload without threads"), status
    log = wait_until(lambda: text if "take 'preload' out" in (text := host.cli("logs", APP).out) else None, 20, "said")
    assert "has left 1 thread running ('of-the-app')" in log
    set_wish(acme, "ended-threads")
    host.wait_running(APP, 60)
    assert host.http(acme.domain).status == 200


def test_restarts_under_load_fail_no_request(host):
    acme = add_preloaded(host, workers=2, threads=4)
    host.start(APP)
    wait_workers(host, 2)
    with Load(host.port, acme.domain, 4) as load:
        for _ in range(3):
            former = templates(host)
            load.wait_for(20)
            assert host.cli("restart", APP).code == 0
            wait_template(host, former)
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert host.status(APP)["last_exit"] is None


def test_a_change_of_preload_is_a_restart(host):
    acme = add_preloaded(host, workers=1, preload="false")
    host.start(APP)
    assert templates(host) == []
    former = wait_workers(host, 1)
    host.set_probe(acme, wsgi="preloaded:application", directory="app", preload="true", workers=1)
    assert host.cli("restart", APP).code == 0
    wait_workers(host, 1, former)
    wait_template(host)
    host.set_probe(acme, wsgi="preloaded:application", directory="app", preload="false", workers=1)
    assert host.cli("restart", APP).code == 0
    wait_until(lambda: templates(host) == [], 20, "no template is left")


def test_an_app_without_workers_sleeps_with_its_template_and_wakes(host):
    acme = add_preloaded(host, workers="{ min: 0, max: 2 }",
                         timeouts="{ startup: 60s, graceful: 5s, shutdown: 3s, idle: 1s }")
    host.start()
    assert host.http(acme.domain).status == 200
    wait_template(host)
    host.wait_status(APP, lambda s: s["state"] == "idle", 30)
    wait_until(lambda: templates(host) == [], 20, "a sleeping app has no process")
    assert host.http(acme.domain).status == 200


def test_more_workers_under_load_and_replaced_ones_come_from_the_same_import(host):
    acme = add_preloaded(host, workers="{ min: 1, max: 3 }", max_requests=40, timeouts=TIMES)
    host.start(APP)
    template = wait_template(host)
    seen = set()
    with Load(host.port, acme.domain, 6) as load:
        wait_until(lambda: seen.update(host.worker_pids(APP)) or len(seen) >= 4, 60,
                   lambda: f"four workers: {seen}; {load.counts}; {host.status(APP)}; log:\n{host.log[-3000:]}")
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert templates(host) == [template] and len(lines(acme, "imports")) == 1
    assert host.status(APP)["last_exit"] is None


def test_a_new_supervisor_takes_over_template_and_workers(host):
    acme = add_preloaded(host, workers=2)
    host.start(APP)
    workers, template = wait_workers(host, 2), wait_template(host)
    with Load(host.port, acme.domain, 4) as load:
        load.wait_for(20)
        end_supervisor(host)
        load.wait_for(20)
    assert set(load.counts) == {200} and load.wrong == [], load.counts
    assert templates(host) == [template] and sorted(host.worker_pids(APP)) == sorted(workers)
    # Who was taken over is still the steward's to tell about, and the template still forks.
    assert host.http(acme.domain, "/leave?signal=11").status == 502
    status = host.wait_status(APP, lambda s: s["last_exit"] and s["last_exit"]["detail"].startswith("SIGSEGV"))
    assert status["last_exit"]["code"] == "RH-SIGNAL"
    wait_workers(host, 2)
    assert templates(host) == [template] and len(lines(acme, "imports")) == 1
    # And one whose death fell between two supervisors.
    victim = host.worker_pids(APP)[0]
    goal = host.log.count("took over") + 1
    os.kill(supervisor_pid(host), signal.SIGKILL)
    os.kill(victim, signal.SIGABRT)
    wait_until(lambda: host.log.count("took over") >= goal, 40, "taken over")
    host.wait_status(APP, lambda s: s["last_exit"] and s["last_exit"]["detail"].startswith("SIGABRT"))
    wait_workers(host, 2, [victim])
    # A template that dies while nobody looks is started again.
    goal = host.log.count("took over") + 1
    os.kill(supervisor_pid(host), signal.SIGKILL)
    os.kill(template, signal.SIGKILL)
    wait_until(lambda: host.log.count("took over") >= goal, 40, "taken over")
    wait_template(host, [template])
    assert host.http(acme.domain).status == 200


def test_lifespan_and_event_loop_of_an_asgi_app_belong_to_each_worker(host):
    acme = add_preloaded(host, wsgi="x", workers=2)
    acme.manifest(f"apps:\n  site:\n    routes: [{acme.domain}]\n    asgi: preloaded_asgi:application\n"
                  f"    directory: app\n    preload: true\n    workers: 2\n    concurrency: 1\n    timeouts: {TIMES}\n")
    host.start(APP)
    workers = wait_workers(host, 2)
    told = occupy_all(host, acme, 2)
    for each in told:
        assert each["lifespan"] == [["lifespan.startup", each["pid"], each["loop"]]], each
        assert each["imported_by"] != each["pid"]
    assert len(lines(acme, "imports")) == 1
    assert len(lines(acme, "lifespans")) == 2, "none in the template"
    os.kill(workers[0], signal.SIGKILL)
    wait_workers(host, 2, [workers[0]])
    assert host.cli("stop", APP).code == 0
    wait_until(lambda: len([line for line in lines(acme, "lifespans") if "shutdown" in line]) == 2, 10,
               lambda: f"both have shut down: {lines(acme, 'lifespans')}")


def test_what_the_app_registered_for_the_end_runs_in_workers_and_not_in_the_template(host):
    acme = add_preloaded(host, workers=2)
    host.start(APP)
    wait_workers(host, 2)
    told = {each["pid"]: each for each in occupy_all(host, acme, 2)}
    assert host.cli("stop", APP).code == 0
    assert sorted(map(int, lines(acme, "exits"))) == sorted(told)
    assert host.cli("start", APP).code == 0
    assert host.http(acme.domain, "/child").text == "of a child\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGSTOP])
def test_a_template_that_was_told_to_end_or_stopped_is_replaced_when_it_is_needed(host, number):
    acme = add_preloaded(host, workers=1, timeouts="{ startup: 3s, graceful: 2s, shutdown: 1s }")
    host.start(APP)
    template = wait_template(host)
    [worker] = wait_workers(host, 1)
    os.kill(template, number)
    os.kill(worker, signal.SIGKILL)
    wait_workers(host, 1, [worker])
    assert wait_template(host, [template])
    assert host.http(acme.domain).status == 200


def test_django_from_debian_is_preloaded(host):
    acme = add_django(host)
    manifest = (acme.home / "rowhouse.yaml").read_text()
    asked = "workers: { min: 2, max: 2 }\n"
    assert asked in manifest
    acme.manifest(manifest.replace(asked, "workers: 2\n    preload: true\n"))
    host.start()
    began = time.monotonic()
    host.wait_running(APP, 60)
    cold_s = time.monotonic() - began
    workers = wait_workers(host, 2)
    assert templates(host)
    assert host.http(acme.domain, "/").status in (200, 302)
    began = time.monotonic()
    os.kill(workers[0], signal.SIGKILL)
    wait_workers(host, 2, [workers[0]])
    print(f"\n  Django: replaced within {1000 * (time.monotonic() - began):.0f} ms, start {1000 * cold_s:.0f} ms")
    assert host.http(acme.domain, "/").status in (200, 302)


def test_four_preloaded_workers_share_what_was_imported(host):
    shared = add_preloaded(host, "acme", workers=4, wish="ballast")
    alone = add_preloaded(host, "globex", workers=4, wish="ballast", preload="false")
    host.start(APP, "globex/site")
    pss = {}
    for tenant in (shared, alone):
        app = f"{tenant.name}/site"
        wait_workers(host, 4, app=app)
        told = occupy_all(host, tenant, 4)
        pss[tenant.name] = sum(each["pss_kib"] for each in told)
    template = pathlib.Path(f"/proc/{wait_template(host)}/smaps_rollup").read_text()
    of_template = next(int(line.split()[1]) for line in template.splitlines() if line.startswith("Pss:"))
    print(f"\n  proportional memory of 4 workers: {(pss['acme'] + of_template) // 1024} MiB with preload, its template "
          f"({of_template // 1024} MiB) included; {pss['globex'] // 1024} MiB without")
    assert pss["acme"] + of_template < 0.6 * pss["globex"], (pss, of_template)
