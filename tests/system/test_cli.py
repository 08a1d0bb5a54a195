"""The CLI: who may ask what, what it answers, how it exits."""
import json
import subprocess

import pytest
from processes import wait_until
from rowhouse_host import BUILD

STRANGER_UID = 61999


@pytest.fixture
def two(host):
    acme, globex = host.add_probe("acme"), host.add_probe("globex")
    host.start("acme/site", "globex/site")
    return acme, globex


def names(answer):
    return [f"{entry['tenant']}/{entry['app']}" for entry in answer.json["apps"]]


def test_root_sees_every_app_with_the_fields_that_were_promised(host, two):
    answer = host.cli("status", "--json")
    assert answer.code == 0
    assert sorted(names(answer)) == ["acme/site", "globex/site"]
    entry = host.status("acme/site")
    assert entry["state"] == "running" and entry["generation"] >= 1
    assert entry["restarts"] == 0 and entry["last_exit"] is None
    assert isinstance(entry["sandbox"]["missing"], list)
    for worker in entry["workers"]:
        assert worker["state"] == "ready"
        assert worker["pid"] > 1 and worker["requests"] >= 0 and worker["memory_bytes"] > 1_000_000


def test_requests_are_counted_for_the_worker_that_served_them(host, two):
    before = sum(w["requests"] for w in host.status("acme/site")["workers"])
    for _ in range(7):
        host.http("acme.test")
    wait_until(lambda: sum(w["requests"] for w in host.status("acme/site")["workers"]) == before + 7, 5,
               lambda: host.status("acme/site"))


@pytest.mark.sanitized
def test_a_tenant_sees_and_drives_its_own_apps(host, two):
    acme = two[0]
    assert names(host.cli("status", "--json", uid=acme.uid)) == ["acme/site"]
    assert host.cli("restart", "acme/site", uid=acme.uid).code == 0
    assert host.cli("stop", "acme/site", uid=acme.uid).code == 0
    assert host.cli("start", "acme/site", uid=acme.uid).code == 0
    assert host.cli("logs", "acme/site", uid=acme.uid).code == 0


def test_to_a_tenant_another_tenants_app_is_as_absent_as_one_that_is_not_there(host, two):
    acme = two[0]
    for command in ("status", "restart", "stop", "start", "logs"):
        foreign = host.cli(command, "globex/site", uid=acme.uid)
        absent = host.cli(command, "globex/none", uid=acme.uid)
        assert foreign.code == absent.code == 3, command
        assert foreign.err.replace("site", "none") == absent.err
    assert host.http("globex.test").status == 200


def test_a_caller_without_a_role_gets_nothing(host, two):
    for arguments in (["status"], ["status", "acme/site"], ["restart", "acme/site"], ["logs", "acme/site"]):
        answer = host.cli(*arguments, uid=STRANGER_UID)
        assert answer.code == 4, arguments
        assert "acme" not in answer.out


def test_an_app_that_does_not_exist_is_not_found(host, two):
    for arguments in (["status", "acme/none"], ["status", "none"], ["restart", "acme/none"], ["stop", "none/none"]):
        answer = host.cli(*arguments)
        assert answer.code == 3, arguments
        assert answer.err.strip()


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["restart"], ["status", "--nonsense"], ["status", "a", "b"]])
def test_a_wrong_command_line_is_a_usage_error(host, two, arguments):
    assert host.cli(*arguments).code == 2


def test_ids_are_exact_never_prefixes(host, two):
    for name in ("acme/sit", "acm/site", "acme/site/", "Acme/site", "acme/site x"):
        assert host.cli("restart", name).code in (2, 3), name
    assert host.status("acme/site")["restarts"] == 0


def test_without_a_daemon_the_cli_says_so_and_exits_5(tmp_path):
    done = subprocess.run([BUILD / "rowhouse", "--socket", tmp_path / "none.sock", "status"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 5
    assert "none.sock" in done.stderr


def test_the_socket_may_come_from_the_environment(host, two):
    done = subprocess.run([BUILD / "rowhouse", "status", "--json"], capture_output=True, text=True, timeout=30,
                          check=False, env={"ROWHOUSE_SOCKET": str(host.socket_path)})
    assert done.returncode == 0 and "acme" in done.stdout


def test_status_for_people_has_one_line_for_each_app(host, two):
    lines = host.cli("status").out.splitlines()
    assert any("acme" in line and "site" in line and "running" in line for line in lines)
    assert any("globex" in line and "site" in line and "running" in line for line in lines)


# --- logs -----------------------------------------------------------------------------------------------------------
def test_stdout_stderr_and_wsgi_errors_arrive_in_the_apps_log(host, two):
    assert host.http("acme.test", "/say?text=red-letter").status == 200

    def ask():
        out = host.cli("logs", "acme/site").out
        return out if all(f"{way} red-letter" in out for way in ("stdout", "stderr", "errors")) else None

    wait_until(ask, 10, lambda: host.cli("logs", "acme/site").out)
    assert "red-letter" not in host.cli("logs", "globex/site").out


def test_what_an_app_prints_moves_no_cursor_and_forges_no_line(host, two):
    host.http("acme.test", "/say?text=a%1b%5b2Jb%0dforged")
    out = wait_until(lambda: [o for o in [host.cli("logs", "acme/site").out] if "forged" in o], 10, "the line")[0]
    assert "\x1b" not in out and "\r" not in out


def test_a_traceback_of_the_app_is_in_its_log_and_the_client_gets_500(host, two):
    answer = host.http("acme.test", "/fail")
    assert answer.status in (500, 502)
    assert "told to fail" not in answer.text
    wait_until(lambda: "RuntimeError: the probe was told to fail" in host.cli("logs", "acme/site").out, 10, "traceback")


def test_every_request_is_in_the_access_log_under_its_app(host, two):
    host.http("acme.test", "/hello?mark=31337", headers={"User-Agent": "probe/1"})

    def logged():
        files = [path for path in (host.directory / "logs").rglob("*") if path.is_file()]
        return [line for path in files for line in path.read_text(errors="replace").splitlines() if "mark=31337" in line]

    lines = wait_until(logged, 10, "an access line")
    assert len(lines) == 1
    for word in ("GET", "200", "acme.test", "127.0.0.1", "probe/1"):
        assert word in lines[0], lines[0]


def test_an_app_that_wants_json_has_one_object_for_each_request(host):
    acme = host.add_probe("acme", access_log="json", static="{ /static/: probe }")
    host.add_probe("blake")
    host.start("acme/site", "blake/site")
    host.http("acme.test", "/echo?id=7&size=500&ms=50", headers={"User-Agent": 'a"b\\c', "Referer": "http://x/"})
    host.http("acme.test", "/static/none.css")
    host.http("blake.test", "/hello?mark=1")

    def objects():
        lines = host.cli("logs", "acme/site", "--access").out.splitlines()
        return [json.loads(line) for line in lines if "/echo" in line or "/static" in line]

    answered, refused = wait_until(lambda: objects() if len(objects()) == 2 else None, 10, "two lines")
    assert answered["path"] == "/echo" and answered["query"] == "id=7&size=500&ms=50" and answered["status"] == 200
    assert answered["response_bytes"] == 500 and answered["app_us"] >= 50_000 and answered["host"] == "acme.test"
    parts = [answered[f"{part}_us"] for part in ("gateway", "queue", "app", "write")]
    assert sum(parts) == answered["total_us"]
    assert answered["user_agent"] == 'a"b\\c' and answered["referer"] == "http://x/" and answered["cause"] is None
    assert refused["status"] == 404 and refused["cause"] == "RH-FORBIDDEN" and len(refused["error_id"]) == 16
    wait_until(lambda: "mark=1" in host.cli("logs", "blake/site", "--access").out, 10, "the neighbour's line")
    assert host.cli("logs", "blake/site", "--access").out.startswith("127.0.0.1 - - ")
    # The other form from the next manifest on.
    host.set_probe(acme, access_log="combined")
    assert host.cli("reload", "acme").code == 0
    host.http("acme.test", "/hello?mark=2")
    wait_until(lambda: "127.0.0.1 - - " in host.cli("logs", "acme/site", "--access").out, 10, "a combined line")


def test_what_the_worker_says_of_its_cpu_time_is_in_the_object(host):
    acme = host.add_tenant("acme")
    acme.put("app.py", "import time\n\ndef application(environ, start_response):\n    begun = time.thread_time()\n"
             "    while time.thread_time() < begun + 0.06:\n        pass\n    start_response('200 OK', [])\n    return [b'x']\n")
    host.set_probe(acme, wsgi="app:application", directory=".", access_log="json")
    host.start("acme/site")
    host.http("acme.test", "/")
    line = wait_until(lambda: host.cli("logs", "acme/site", "--access").out, 10, "an access line")
    told = json.loads(line)
    assert 50_000 <= told["worker_cpu_us"] <= told["app_us"], told


def test_the_logs_directory_is_controls_and_closed_to_tenants(host, two):
    logs = host.directory / "logs"
    files = wait_until(lambda: [p for p in logs.rglob("*") if p.is_file()], 10, "a log file")
    for path in files:
        assert path.stat().st_uid == host.control_uid
        assert path.stat().st_mode & 0o007 == 0


# --- check ----------------------------------------------------------------------------------------------------------
def test_check_tells_a_good_manifest_from_a_bad_one_without_a_daemon(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("apps:\n  site: { routes: [acme.test], wsgi: 'a:b' }\n")
    bad.write_text("apps:\n  site: { routes: [acme.test], wsgi: 'a:b', thread: 3 }\n")

    def check(path):
        return subprocess.run([BUILD / "rowhouse", "check", path], capture_output=True, text=True, timeout=30, check=False)

    assert check(good).returncode == 0
    refused = check(bad)
    assert refused.returncode == 1
    assert "bad.yaml:2:" in refused.stdout + refused.stderr and "threads" in refused.stdout + refused.stderr
    assert check(tmp_path / "none.yaml").returncode not in (0, -6, -11)
