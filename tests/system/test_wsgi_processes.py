"""How workers and their processes end, through gateway and worker.  The numbers are those of
docs/wsgi.md; each runs as it is and under wsgiref.validate, whose app is mounted at /validated."""
import json
import os
import re

import pytest
from http_client import Connection, CutResponse
from processes import wait_until
from rowhouse_host import APPS, PATIENCE_S

APP = "manners"
MOUNTS = {"": "acme/plain", "/validated": "acme/validated"}


def create(host, keys=""):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / APP, APP)
    common = f"directory: {APP}, timeouts: {{ startup: 60s, graceful: 2s, shutdown: 2s }}{keys}"
    tenant.manifest(f"apps:\n  plain: {{ routes: [{tenant.domain}], wsgi: 'manners:application', {common} }}\n"
                    f"  validated: {{ routes: [{tenant.domain}/validated], wsgi: 'manners:validated', {common} }}\n")
    host.start(*MOUNTS.values())
    return tenant


def ask(host, tenant, path):
    response = host.http(tenant.domain, path)
    assert response.status == 200, response
    return json.loads(response.body)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_41_a_request_whose_worker_is_killed_before_its_head_is_502_and_run_once(host, method):
    tenant = create(host)
    for mount, app in MOUNTS.items():
        mark = app.partition("/")[2]
        response = host.http(tenant.domain, f"{mount}/killed_before_head?mark={mark}", method=method)
        assert (response.status, response.cause) == (502, "RH-WORKER-GONE")
        last = host.wait_status(app, lambda s: s["last_exit"] and s["state"] == "running")["last_exit"]
        assert (last["code"], last["detail"].split()[0]) == ("RH-SIGNAL", "SIGKILL")
        assert isinstance(ask(host, tenant, f"{mount}/events"), list), "the next worker answers"
        assert (tenant.home / APP / f"runs-{mark}").read_text() == "run\n"


def test_41_an_answer_whose_worker_is_killed_is_visibly_cut_and_run_once(host):
    tenant = create(host)
    for mount, app in MOUNTS.items():
        mark = app.partition("/")[2]
        with Connection(host.port) as connection:
            connection.send(tenant.domain, f"{mount}/killed_in_body?mark={mark}")
            assert connection.read_head().status == 200
            chunks = connection.chunks()
            assert next(chunks) == b"first"
            tenant.put(f"{APP}/seen-{mark}", "")
            with pytest.raises(CutResponse):
                list(chunks)
        host.wait_status(app, lambda s: s["last_exit"] and s["last_exit"]["code"] == "RH-SIGNAL")
        assert (tenant.home / APP / f"runs-{mark}").read_text() == "run\n"


@pytest.mark.parametrize("how, code, detail", [
    ("exit", "RH-EXIT", "3"), ("segfault", "RH-SIGNAL", "SIGSEGV"), ("abort", "RH-SIGNAL", "SIGABRT"),
    ("overflow", "RH-SIGNAL", "SIGSEGV"), ("memory", "RH-OOM", "limit 96M of the app")])
def test_49_a_death_has_its_cause_and_is_that_workers_only(host, how, code, detail):
    host.gateways = 1  # the kernel closes the channels of a dying worker one after the other
    tenant = create(host, ", workers: 2, threads: 1, limits: { memory: 96M }")
    for mount, app in MOUNTS.items():
        before = set(host.wait_status(app, lambda s, app=app: len(host.worker_pids(app)) == 2)["workers"][i]["pid"]
                     for i in range(2))
        assert host.http(tenant.domain, f"{mount}/die?how={how}", method="POST").status == 502
        assert isinstance(ask(host, tenant, f"{mount}/events"), list), "the other worker answers"
        status = host.wait_status(app, lambda s: s["last_exit"] is not None)
        assert status["last_exit"]["code"] == code and status["last_exit"]["detail"].startswith(detail), status["last_exit"]
        assert len(before & set(host.worker_pids(app))) == 1, "one of the two lives on"
        host.wait_status(app, lambda s, app=app: len(host.worker_pids(app)) == 2)


def test_53_and_54_an_app_that_will_not_end_is_ended(host):
    """It ignores SIGTERM, keeps a thread that is no daemon, and hangs in an exit function."""
    create(host, ", env: { MANNERS: stubborn }")
    for app in MOUNTS.values():
        [worker] = host.worker_pids(app)
        assert host.cli("stop", app).code == 0
        assert not os.path.exists(f"/proc/{worker}")


def test_54_threads_are_joined_and_exit_functions_run(host):
    tenant = create(host, ", env: { MANNERS: tidy }")
    for mount, app in MOUNTS.items():
        facts = ask(host, tenant, f"{mount}/main_thread")
        assert facts["imported"] and facts["alive"] and facts["native"] == facts["pid"]
        assert host.cli("stop", app).code == 0
        wait_until(lambda app=app: "exit functions ran" in host.cli("logs", app).out, PATIENCE_S, "the exit functions")
        assert "a thread was joined" in host.cli("logs", app).out


LINES = """
    import threading

    def write(number):
        for _ in range(400):
            print(f"<{number}" + "x" * 60, f"{number}>")

    def application(environ, start_response):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        print("request", environ["rowhouse.request_id"])
        start_response("200 OK", [])
        return []
    """


def test_47_lines_of_several_threads_do_not_mix_and_the_environ_names_the_request(host):
    tenant = host.add_tenant("acme")
    tenant.put("app.py", LINES)
    tenant.manifest(f"apps:\n  site: {{ routes: [{tenant.domain}], wsgi: 'app:application' }}\n")
    host.start("acme/site")
    host.http(tenant.domain, "/")

    def log():
        return host.cli("logs", "acme/site", "-n", "2000").out.splitlines()

    wait_until(lambda: re.search(r" stderr request [0-9a-f]{16}$", log()[-1]), PATIENCE_S, "the last line")
    lines = [line for line in log() if "<" in line or ">" in line]
    assert len(lines) == 1600
    mixed = [line for line in lines if not re.fullmatch(r"\S+Z worker\[1\.1\] stderr <(\d)x{60} \1>", line)]
    assert mixed == []
