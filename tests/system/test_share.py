"""Several apps of one tenant in one process: what is apart, what they have in common, and what happens to all of them."""
import collections
import json
import os
import signal
import subprocess
import sysconfig

import pytest
from background import Asking
from http_client import Connection
from processes import wait_until
from rowhouse_host import BUILD, PATIENCE_S
from supervisors import end_supervisor
from websocket_client import WebSocket

PYTHONS = {line.split(" ", 2)[0]: line.split(" ", 2)[2] for line in (BUILD / "pythons.table").read_text().splitlines() if line} \
    if (BUILD / "pythons.table").exists() else {}
STACKS_SIGNAL = 40
TIMES = "timeouts: { startup: 60s, request: 20s, graceful: 5s, shutdown: 3s }"

APP = """
    import ctypes, json, os, signal, subprocess, sys, threading, time
    import companion

    def tell():
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_char_p
        return {"pid": os.getpid(), "name": companion.NAME, "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv,
                "modules": id(sys.modules), "environ": {k: os.environ.get(k) for k in ("WHO", "ONLY", "COMMON", "LATE")},
                "c": {k: (getenv(k.encode()) or b"").decode() for k in ("WHO", "COMMON", "LATE")},
                "child": subprocess.run(["sh", "-c", "echo $WHO $LATE; pwd"], capture_output=True, text=True).stdout.split(),
                "read": open("name.txt").read(), "thread": threading.current_thread().name}

    def act(path, query):
        if path == "/set":
            os.environ["LATE"] = companion.NAME
        elif path == "/say":
            print("said by " + companion.NAME)
            sys.stderr.write("complaint of " + companion.NAME + "\\n")
        elif path == "/fail":
            raise RuntimeError("failure of " + companion.NAME)
        elif path == "/crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif path == "/sleep":
            sleep_in(companion.NAME)
        elif path == "/hold":
            hold_in(companion.NAME)
        elif path == "/import":
            __import__(query)
        return json.dumps(tell()).encode()

    def sleep_in(name):
        exec(f"def sleep_of_{name}():\\n  import time\\n  time.sleep(3)\\nsleep_of_{name}()", {})

    def hold_in(name):
        print("holds")  # of a PyDLL functions are called with the GIL held
        exec(f"def hold_of_{name}():\\n  import ctypes\\n  ctypes.PyDLL(None).usleep(3000000)\\nhold_of_{name}()", {})

    def application(environ, start_response):
        body = act(environ["PATH_INFO"], environ["QUERY_STRING"])
        start_response("200 OK", [("Content-Type", "application/json")])
        return [body]

    async def asgi(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": companion.NAME + ": " + message["text"]})
            return
        assert scope["type"] == "http"
        path = scope["path"][len(scope["root_path"]):]
        body = act(path, scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": body})
"""


class Visits(Asking):
    """Asks one app all the time, until stopped."""

    def __init__(self, host, tenant, app):
        super().__init__(2)
        self.host, self.domain, self.path, self.counts = host, tenant.domain, f"/{app}/", collections.Counter()

    def run(self, _number):
        while not self.stop.is_set():
            self.counts[self.host.http(self.domain, self.path).status] += 1


def put_app(tenant, name, source=APP):
    tenant.put(f"{name}/app.py", source)
    tenant.put(f"{name}/companion.py", f'NAME = "{name}"\n')
    tenant.put(f"{name}/name.txt", name)


def entry(tenant, name, keys="", kind="wsgi"):
    attribute = {"wsgi": "application", "asgi": "asgi"}[kind]
    return (f"  {name}:\n    routes: [{tenant.domain}/{name}]\n    {kind}: 'app:{attribute}'\n    directory: {name}\n"
            f"    share: web\n    {TIMES}\n    env: {{ WHO: {name}, ONLY_{name}: x, COMMON: all }}\n{keys}")


def share(host, kinds=None, keys="", start=True):
    """A tenant whose apps a, b (and c) share their workers."""
    host.gateways = 1
    kinds = kinds or {"a": "wsgi", "b": "wsgi"}
    tenant = host.add_tenant("acme")
    for name in kinds:
        put_app(tenant, name)
    tenant.manifest("apps:\n" + "".join(entry(tenant, name, keys, kind) for name, kind in kinds.items()))
    if start:
        host.start(*(f"acme/{name}" for name in kinds))
    return tenant


def ask(host, tenant, name, path="/"):
    answer = host.http(tenant.domain, f"/{name}{path}")
    assert answer.status == 200, answer
    return json.loads(answer.body)


def logs(host, app):
    return host.cli("logs", app, "-n", "2000").out


def check_apart(host, tenant, names):
    told = {name: ask(host, tenant, name) for name in names}
    assert len({each["pid"] for each in told.values()}) == 1, told
    assert len({each["modules"] for each in told.values()}) == len(names)
    for name, each in told.items():
        home = str(tenant.home / name)
        assert each["name"] == name and each["cwd"] == home and each["path"][0] == home and each["read"] == name
        assert not [other for other in names if other != name and str(tenant.home / other) in each["path"]]
        assert each["argv"] == ["app"]
        assert each["environ"]["WHO"] == name and each["environ"]["COMMON"] == "all"
        # C code sees what all have in common; a subprocess gets what os.environ says, and begins where its app is.
        assert each["c"]["WHO"] == "" and each["c"]["COMMON"] == "all"
        assert each["child"][0] == name and each["child"][-1] == home
    return told


def test_apps_of_a_share_are_one_process_and_have_modules_paths_environments_and_directories_of_their_own(host):
    tenant = share(host, {"b": "wsgi", "a": "wsgi", "c": "asgi"})
    told = check_apart(host, tenant, "abc")
    pid = host.worker_pids("acme/a")
    for app in "bc":
        assert host.worker_pids(f"acme/{app}") == pid
    ask(host, tenant, "a", "/set")
    after = check_apart(host, tenant, "abc")
    assert after["a"]["environ"]["LATE"] == "a" and after["a"]["child"][1] == "a"
    assert after["b"]["environ"]["LATE"] is None and after["a"]["c"]["LATE"] == ""
    assert after["a"]["pid"] == told["a"]["pid"]
    # Its own requests are counted for each, the memory is the process's.
    workers = {app: host.status(f"acme/{app}")["workers"][0] for app in "abc"}
    assert workers["a"]["requests"] == 3 and workers["b"]["requests"] == workers["c"]["requests"] == 2, workers
    # Requests of both at the same time, on threads of their own.
    with Connection(host.port) as slow:
        slow.send(tenant.domain, "/a/sleep")
        assert ask(host, tenant, "b")["name"] == "b"
        assert slow.read_response().status == 200


def test_a_websocket_goes_to_the_asgi_app_of_a_share(host):
    tenant = share(host, {"a": "wsgi", "b": "asgi"})
    with WebSocket(host.port, tenant.domain, "/b/") as socket:
        socket.send("hello")
        assert socket.receive() == "b: hello"
    assert ask(host, tenant, "a")["name"] == "a"


def test_each_app_of_a_share_has_its_own_log(host):
    tenant = share(host)
    for app in "ab":
        ask(host, tenant, app, "/say")
        failed = host.http(tenant.domain, f"/{app}/fail")
        assert failed.status == 500
        wait_until(lambda app=app: f"failure of {app}" in logs(host, f"acme/{app}"), PATIENCE_S, "the traceback is there")
    for app, other in ("ab", "ba"):
        text = logs(host, f"acme/{app}")
        assert f"said by {app}" in text and f"complaint of {app}" in text and "Traceback" in text
        assert f"by {other}" not in text and f"of {other}" not in text, text
    assert ask(host, tenant, "a")["name"] == "a"


def test_an_app_that_cannot_be_imported_fails_the_start_of_its_share_and_the_other_says_why(host):
    tenant = share(host, start=False)
    tenant.put("b/companion.py", "import nowhere_to_be_found\n")
    host.start()
    for app in "ab":
        status = host.wait_status(f"acme/{app}", lambda s: s["last_exit"] is not None)
        assert status["last_exit"]["code"] == "RH-IMPORT", status
    assert "No module named 'nowhere_to_be_found'" in wait_until(
        lambda: text if "cannot import" in (text := logs(host, "acme/b")) else None, PATIENCE_S, "b says why")
    assert "this app shares its process with app 'b', which did not start" in logs(host, "acme/a")
    story = host.cli("explain", "acme/a", "--json").json
    assert story["deaths"][0]["code"] == "RH-IMPORT"


def test_a_restart_of_one_app_restarts_the_share_and_loses_no_request(host):
    tenant = share(host)
    before = host.worker_pids("acme/b")
    tenant.put("a/companion.py", 'NAME = "a"\nNEW = 1\n')
    with Visits(host, tenant, "a") as load:
        load.wait_for(5)
        assert host.cli("restart", "acme/b").code == 0
        load.wait_for(5)
    assert set(load.counts) == {200}, load.counts
    check_apart(host, tenant, "ab")
    after = host.worker_pids("acme/b")
    assert host.worker_pids("acme/a") == after != before
    assert host.status("acme/a")["generation"] == host.status("acme/b")["generation"] == 2
    # One that fails leaves what serves.
    tenant.put("a/companion.py", "1 / 0\n")
    assert host.cli("restart", "acme/b").code == 1
    assert ask(host, tenant, "b")["name"] == "b" and host.worker_pids("acme/b") == after
    # Stopped and started together.
    tenant.put("a/companion.py", 'NAME = "a"\n')
    assert host.cli("stop", "acme/a").code == 0
    assert host.status("acme/b")["state"] == "stopped" and host.http(tenant.domain, "/b/").status == 503
    assert host.cli("start", "acme/b").code == 0
    check_apart(host, tenant, "ab")


def test_a_crash_in_one_app_is_told_to_all_of_its_share_and_the_share_comes_back(host):
    tenant = share(host)
    [before] = host.worker_pids("acme/a")
    answer = host.http(tenant.domain, "/b/crash", method="POST", body=b"x")
    assert answer.status == 502

    def newest(app):
        deaths = host.cli("explain", f"acme/{app}", "--json").json["deaths"]
        return deaths[0] if deaths and deaths[0]["code"] == "RH-SIGNAL" else None

    for app in "ab":
        death = wait_until(lambda app=app: newest(app), PATIENCE_S, "the death is told")
        assert death["detail"].startswith("SIGSEGV") and death["pid"] == before
    wait_until(lambda: newest("b")["requests"], PATIENCE_S, "the request that was running is named")
    assert newest("b")["requests"][0]["path"].endswith("/crash") and not newest("a")["requests"]
    host.wait_running("acme/a")
    check_apart(host, tenant, "ab")
    assert host.worker_pids("acme/a") == host.worker_pids("acme/b") != [before]


def test_stacks_show_every_interpreter_each_in_its_apps_log(host):
    tenant = share(host)
    [pid] = host.worker_pids("acme/a")
    with Connection(host.port) as first, Connection(host.port) as second:
        first.send(tenant.domain, "/a/sleep")
        second.send(tenant.domain, "/b/sleep")

        def shown():
            os.kill(pid, STACKS_SIGNAL)
            return all(f"in sleep_of_{app}" in logs(host, f"acme/{app}") for app in "ab")

        wait_until(shown, PATIENCE_S, lambda: "both stacks: " + logs(host, "acme/a") + logs(host, "acme/b"))
        assert "sleep_of_b" not in logs(host, "acme/a") and "sleep_of_a" not in logs(host, "acme/b")
        assert first.read_response().status == second.read_response().status == 200
    assert host.worker_pids("acme/a") == [pid]


def test_stacks_are_shown_while_one_app_of_the_share_holds_the_gil(host):
    tenant = share(host)
    [pid] = host.worker_pids("acme/a")
    with Connection(host.port) as connection:
        connection.send(tenant.domain, "/a/hold")
        wait_until(lambda: "holds" in logs(host, "acme/a"), PATIENCE_S, "it holds the GIL")
        os.kill(pid, STACKS_SIGNAL)
        wait_until(lambda: "in hold_of_a" in logs(host, "acme/a"), PATIENCE_S, lambda: "its stacks: " + logs(host, "acme/a"))
        assert connection.read_response().status == 200
    # What could not be shown meanwhile comes, or is said to be missing.
    wait_until(lambda: "most recent call first" in logs(host, "acme/b") or "are missing" in logs(host, "acme/b"), PATIENCE_S,
               lambda: "something of the other: " + logs(host, "acme/b"))
    assert host.worker_pids("acme/a") == [pid] and host.http(tenant.domain, "/b/").status == 200


SINGLE_PHASE = r"""
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "single", NULL, -1, NULL, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_single(void) { return PyModule_Create(&definition); }
"""
MULTI_PHASE = r"""
#include <Python.h>
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "multi", NULL, 0, NULL, slots, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_multi(void) { return PyModuleDef_Init(&definition); }
"""


def build_extension(tenant, app, name, source):
    include = sysconfig.get_paths()["include"]
    path = tenant.put(f"{app}/{name}.c", source)
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{include}", "-o", path.with_suffix(".so"), path], check=True)
    tenant.own(tenant.home / app)


def test_an_extension_that_breaks_in_a_share_is_refused_with_advice(host):
    tenant = share(host)
    for app in "ab":
        build_extension(tenant, app, "single", SINGLE_PHASE)
        build_extension(tenant, app, "multi", MULTI_PHASE)
    for app in "ab":
        assert ask(host, tenant, app, "/import?multi")["name"] == app
    # Late: the request fails.  Early: the start does.
    for _ in range(2):
        assert host.http(tenant.domain, "/a/import?single").status == 500
    words = ("module single does not support loading in subinterpreters: it has no multi-phase initialisation (PEP 489); "
             "take 'share' out of app 'a' in the manifest")
    wait_until(lambda: logs(host, "acme/a").count(words) == 2, PATIENCE_S, lambda: logs(host, "acme/a"))
    tenant.put("b/companion.py", 'import single\nNAME = "b"\n')
    assert host.cli("restart", "acme/a").code == 1
    wait_until(lambda: "cannot import module 'app': ImportError: module single does not support" in logs(host, "acme/b"),
               PATIENCE_S, lambda: logs(host, "acme/b"))
    # Alone it works.
    tenant.manifest("apps:\n" + entry(tenant, "a") + entry(tenant, "b").replace("    share: web\n", ""))
    host.wait_status("acme/b", lambda s: s["state"] == "running" and s["workers"]
                     and s["workers"][0]["pid"] != host.worker_pids("acme/a")[:1], 2 * PATIENCE_S)
    wait_until(lambda: host.http(tenant.domain, "/a/").status == host.http(tenant.domain, "/b/").status == 200,
               PATIENCE_S, "both serve")
    assert ask(host, tenant, "b", "/import?single")["name"] == "b"
    assert host.worker_pids("acme/a") != host.worker_pids("acme/b")


def test_apps_come_into_a_share_and_leave_it_while_everything_runs(host):
    tenant = share(host)
    put_app(tenant, "c")
    tenant.manifest("apps:\n" + "".join(entry(tenant, name) for name in "abc"))
    host.wait_running("acme/c", 2 * PATIENCE_S)
    wait_until(lambda: host.http(tenant.domain, "/c/").status == 200, PATIENCE_S, "c serves")
    check_apart(host, tenant, "abc")
    # The order in which they stand in the file is no change.
    pids = host.worker_pids("acme/a")
    tenant.manifest("apps:\n" + "".join(entry(tenant, name) for name in "cba"))
    assert host.cli("reload", "acme").code == 0
    assert host.worker_pids("acme/a") == pids
    # What only gateways know changes without a restart, for each of them.
    tenant.manifest("apps:\n" + "".join(entry(tenant, name) for name in "ab")
                    + entry(tenant, "c").replace("/c]", "/c, acme.test/d]"))
    assert host.cli("reload", "acme").code == 0
    wait_until(lambda: host.http(tenant.domain, "/d/").status == 200, PATIENCE_S, "the new route leads to c")
    assert ask(host, tenant, "d")["name"] == "c" and host.worker_pids("acme/c") == pids


def test_a_share_is_taken_over_by_the_next_supervisor(host):
    tenant = share(host, {"a": "wsgi", "b": "asgi"})
    check_apart(host, tenant, "ab")
    before = host.worker_pids("acme/a")
    end_supervisor(host)
    host.wait_running("acme/a")
    check_apart(host, tenant, "ab")
    assert host.worker_pids("acme/a") == host.worker_pids("acme/b") == before
    ask(host, tenant, "b", "/say")
    wait_until(lambda: "said by b" in logs(host, "acme/b"), PATIENCE_S, "its log goes on")
    assert host.cli("restart", "acme/b").code == 0
    check_apart(host, tenant, "ab")
    assert host.worker_pids("acme/b") != before


@pytest.mark.skipif("3.13" not in PYTHONS, reason="no worker for Python 3.13 was built")
def test_an_interpreter_may_have_a_gil_of_its_own(host):
    host.extra_config += "pythons: [" + ", ".join(f'"{version}"' for version in PYTHONS) + "]\n"
    tenant = share(host, {"a": "wsgi", "b": "asgi", "c": "wsgi"}, keys="    python: '3.13'\n    gil: own\n", start=False)
    for name in "abc":
        tenant.put(f"{name}/companion.py", f"import asyncio, datetime, decimal, json, sqlite3, ssl\nNAME = '{name}'\n")
    host.start("acme/a", "acme/b", "acme/c")
    check_apart(host, tenant, "abc")
    with Visits(host, tenant, "a") as one, Visits(host, tenant, "b") as two:
        one.wait_for(20)
        two.wait_for(20)
    assert set(one.counts) == set(two.counts) == {200}
    assert host.cli("restart", "acme/c").code == 0
    check_apart(host, tenant, "abc")


def test_a_share_of_apps_that_do_not_fit_together_is_refused_with_file_line_and_key(host):
    tenant = share(host, start=False)
    tenant.manifest("apps:\n" + entry(tenant, "a") + entry(tenant, "b", "    workers: 2\n"))
    host.start()
    refused = host.cli("check", tenant.home / "rowhouse.yaml")
    assert refused.code == 1
    words = '"workers" must be what app "a" (line 6) of share "web" has: the apps of a share are one process'
    assert words in refused.out + refused.err, refused
    tenant.manifest("apps:\n" + entry(tenant, "a", "    gil: own\n    python: '3.11'\n"))
    refused = host.cli("check", tenant.home / "rowhouse.yaml")
    assert '"gil: own" needs Python 3.13 or newer, and the app has 3.11' in refused.out + refused.err, refused


def test_sigterm_and_the_end_of_rowhouse_let_a_share_finish(host):
    tenant = share(host)
    [pid] = host.worker_pids("acme/a")
    with Connection(host.port) as slow:
        slow.send(tenant.domain, "/b/sleep")
        wait_until(lambda: host.status("acme/b")["workers"][0]["requests"] == 1, PATIENCE_S, "it is in the app")
        os.kill(pid, signal.SIGTERM)
        assert slow.read_response().status == 200
    host.wait_status("acme/a", lambda s: [w["pid"] for w in s["workers"] if w["state"] == "ready"] not in ([], [pid]))
    check_apart(host, tenant, "ab")
