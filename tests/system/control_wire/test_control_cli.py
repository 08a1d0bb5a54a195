"""The rowhouse command against the real control program: words, JSON, exit codes."""
import json
import os
import pty
import subprocess
import threading

import pytest
from control_driver import ACME_UID, BACKOFF, BUSY, FAILED, IMPORT, SIGNAL, App, wait_until
from rowhouse_host import BUILD


def test_status_is_a_table(control, site, shop):
    site.exit = (SIGNAL, 9, 1_700_000_000_000, 1, 1)
    site.restarts = 4
    done = control.cli("status")
    assert done.returncode == 0, done.stderr
    head, acme, globex = done.stdout.splitlines()
    assert head.split() == ["TENANT", "APP", "STATE", "WORKERS", "REQUESTS", "MEM", "RESTARTS", "LAST", "EVENT"]
    assert acme.split()[:7] == ["acme", "site", "running", "1/1", "12", "33.0M", "4"]
    assert "RH-SIGNAL SIGKILL, " in acme and acme.endswith("d ago")
    assert globex.split() == ["globex", "shop", "running", "1/1", "1", "1000", "0", "-"]
    # The columns stand under their titles.
    assert head.index("STATE") == acme.index("running") == globex.index("running")


def test_one_app_is_shown_in_full(control, site):
    site.exit, site.missing = (IMPORT, 5, 1_700_000_000_000, 1, 1), 0b101
    out = control.cli("status", "acme/site").stdout
    for words in ("4242", "Last exit: 2023-11-14T22:13:20.000Z RH-IMPORT", "import module",
                  "landlock, private-network"):
        assert words in out
    assert "retry in 28s" not in out
    site.state, site.retry_in_ms = BACKOFF, 28_000
    assert "(retry in 28s)" in control.cli("status", "acme/site").stdout


def test_json_is_the_same_before_and_after_the_command(control, site):
    for arguments in (["--json", "status"], ["status", "--json"]):
        assert json.loads(control.cli(*arguments).stdout)["apps"][0]["tenant"] == "acme"
    assert json.loads(control.cli("info", "--json").stdout)["api"] == 1
    assert json.loads(control.cli("restart", "acme/site", "--json").stdout) == {"outcome": "done", "generation": 2}


@pytest.mark.parametrize("arguments, code", [
    (["status", "acme/none"], 3), (["status", "none"], 3), (["restart", "acme/none"], 3), (["logs", "none/none"], 3),
    (["restart", "acme"], 2), (["restart", "acme/"], 2), (["restart", "acme/sit"], 3), (["restart", "Acme/site"], 2),
    (["statsu"], 2), ([], 2), (["status", "a", "b"], 2), (["logs", "acme/site", "-n", "x"], 2), (["--nonsense"], 2),
    (["check", "x", "--kind", "y"], 2), (["--version"], 0), (["--help"], 0), (["logs", "--help"], 0)])
def test_exit_codes(control, site, arguments, code):
    done = control.cli(*arguments)
    assert done.returncode == code, done
    assert (done.stderr if code else done.stdout).strip()


def test_a_mistyped_command_gets_a_suggestion(control):
    assert 'did you mean "status"?' in control.cli("statsu").stderr
    assert "did you mean" not in control.cli("frobnicate").stderr


def test_a_failed_command_exits_1_with_the_cause(control, site):
    control.on_command = lambda app, kind: (FAILED, 2, 9, IMPORT, 5)
    done = control.cli("restart", "acme/site")
    assert done.returncode == 1 and "RH-IMPORT import module" in done.stderr
    done = control.cli("restart", "acme/site", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["detail"].startswith("RH-IMPORT import module")
    control.on_command = lambda app, kind: (BUSY, 0, 0, 0, 0)
    assert control.cli("stop", "acme/site").returncode == 1


def test_problems_are_told_under_the_table(control, site):
    control.problem("acme", b"rowhouse.yaml:3:5: unknown key\n")
    control.settle()
    assert "acme: rowhouse.yaml:3:5: unknown key" in control.cli("status").stdout


def test_no_daemon_is_exit_5_and_names_the_socket(tmp_path):
    done = subprocess.run([BUILD / "rowhouse", "--socket", tmp_path / "none.sock", "status"], capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 5 and "none.sock" in done.stderr and "No such file" in done.stderr


def test_a_proxy_in_the_environment_is_not_asked(control, site):
    done = control.cli("status", environment={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "socks5://127.0.0.1:1"})
    assert done.returncode == 0, done.stderr


def test_the_socket_may_come_from_the_environment(control, site):
    done = subprocess.run([BUILD / "rowhouse", "status"], capture_output=True, text=True, timeout=30, check=False,
                          env={"ROWHOUSE_SOCKET": str(control.socket_path)})
    assert done.returncode == 0 and "acme" in done.stdout


def in_terminal(control, *arguments, environment):
    """What the command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    import fcntl
    import struct
    import termios
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen([BUILD / "rowhouse", "--socket", control.socket_path, *arguments], stdout=theirs,
                             stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        written += piece
    child.wait(10)
    os.close(ours)
    return written.decode()


def test_colours_are_for_terminals_that_want_them(control, site):
    assert "\x1b[32mrunning" in in_terminal(control, "status", environment={"TERM": "xterm"})
    for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        assert "\x1b" not in in_terminal(control, "status", environment=environment)
    assert "\x1b" not in control.cli("status").stdout


def test_no_line_is_longer_than_the_terminal(control, site):
    pipe = control.log_pipe(site)
    os.write(pipe, b"ModuleNotFoundError: " + b"long " * 100 + b"\n")
    site.exit = (IMPORT, 5, 1_700_000_000_000, 1, 1)
    wait_until(lambda: control.log_text(site), "the line")
    out = in_terminal(control, "status", environment={"TERM": "dumb"})
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "..." in out
    os.close(pipe)


def test_tenant_text_cannot_drive_the_operators_terminal(control, site):
    pipe = control.log_pipe(site)
    os.write(pipe, b"\x1b]52;c;cm0gLXJm\x07\x1b[2J\xc2\x9b31m\n")
    site.exit = (IMPORT, 5, 1_700_000_000_000, 1, 1)
    wait_until(lambda: control.log_text(site), "the line")
    for arguments in (["status"], ["status", "acme/site"], ["logs", "acme/site"], ["status", "--json"]):
        out = control.cli(*arguments).stdout
        assert all(c == "\n" or " " <= c <= "~" for c in out), arguments
    os.close(pipe)


def test_logs_follow_until_interrupted(control, site):
    pipe = control.log_pipe(site)
    os.write(pipe, b"old\n")
    wait_until(lambda: control.log_text(site), "the line")
    command = [BUILD / "rowhouse", "--socket", control.socket_path, "logs", "acme/site", "-f", "-n", "5"]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, user=ACME_UID, group=ACME_UID,
                                extra_groups=[], cwd="/")
    assert follower.stdout.readline().endswith("stderr old\n")
    timer = threading.Timer(10, follower.kill)
    timer.start()
    os.write(pipe, b"new\n")
    assert follower.stdout.readline().endswith("stderr new\n")
    timer.cancel()
    follower.terminate()
    follower.wait(10)
    follower.stdout.close()
    os.close(pipe)


def test_check_tells_good_from_bad_and_gives_places_as_json(tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("apps:\n  site: { routes: [acme.test], wsgi: 'a:b' }\n")
    bad.write_text("apps:\n  site:\n    routes: [acme.test]\n    wsgi: 'a:b'\n    therads: 3\n")

    def check(*arguments):
        return subprocess.run([BUILD / "rowhouse", "check", *arguments], capture_output=True, text=True, timeout=30,
                              check=False)

    assert check(good).returncode == 0 and "valid" in check(good).stdout
    assert check(bad).returncode == 1 and f"{bad}:5:5: " in check(bad).stdout
    assert json.loads(check(good, "--json").stdout) == {"valid": True, "errors": []}
    done = check("--kind", "manifest", bad, "--json")
    [error] = json.loads(done.stdout)["errors"]
    assert done.returncode == 1 and (error["file"], error["line"], error["column"]) == (str(bad), 5, 5)
    assert "therads" in error["message"] and not error["message"].startswith(str(bad))


def test_the_callers_environment_does_not_reach_the_loader(tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("apps:\n  site: { routes: [acme.test], wsgi: 'a:b' }\n")
    (tmp_path / "rowhouse-loader").write_text("#!/bin/sh\ntouch pwned\n")
    (tmp_path / "rowhouse-loader").chmod(0o755)
    trace = tmp_path / "trace"
    environment = {"PATH": str(tmp_path), "LD_BIND_NOW": "1", "PYTHONPATH": str(tmp_path), "IFS": "/", "HOME": "/x"}
    done = subprocess.run(["/usr/bin/strace", "-f", "-v", "-s", "4096", "-e", "trace=execve", "-o", trace,
                           BUILD / "rowhouse", "check", good], capture_output=True, text=True, timeout=60, check=False,
                          cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    [loader] = [line for line in trace.read_text().splitlines() if "--check" in line]
    assert f'"{BUILD}/rowhouse-loader"' in loader
    assert '["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"]' in loader
    assert not (tmp_path / "pwned").exists()
