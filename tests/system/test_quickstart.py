"""./quickstart in a terminal, as a newcomer runs it: two sites answer, Ctrl-C ends all, --remove undoes all."""
import contextlib
import os
import pathlib
import pty
import pwd
import select
import signal
import subprocess
import time

import http_client
import processes
import pytest
from rowhouse_host import BUILD, ROOT, free_port

PLACE = pathlib.Path("/var/lib/rowhouse-quickstart")
USERS = ("acme", "globex", "rowhouse-gateway", "rowhouse-control")
CTRL_C = b"\x03"


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, *command):
        self.text, self.status = "", None
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.execv(command[0], [str(word) for word in command])

    def read_until(self, words, seconds):
        deadline = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < deadline and self._read(deadline), f"{words!r} was not printed:\n{self.text}"

    def _read(self, deadline):
        if not select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))[0]:
            return False
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:  # the command closed its side
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def press(self, keys):
        os.write(self.descriptor, keys)

    def wait(self, seconds):
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
            time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        raise AssertionError(f"not ended within {seconds} s:\n{self.text}")


def user_exists(name):
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name) is not None
    return False


@pytest.fixture
def quickstart():
    assert not PLACE.exists(), "a quickstart of somebody's is on this machine: ./quickstart --remove"
    port = free_port()
    terminal = Terminal(ROOT / "quickstart", "--port", port, "--programs", BUILD)
    yield terminal, port
    try:
        if terminal.status is None:
            terminal.press(CTRL_C)
            terminal.wait(60)
    finally:
        remove()


def remove():
    subprocess.run([ROOT / "quickstart", "--remove"], check=True, capture_output=True, timeout=60)
    assert not PLACE.exists() and not [name for name in USERS if user_exists(name)]


@pytest.mark.timeout(300)
def test_quickstart_serves_two_tenants_until_ctrl_c(quickstart):
    terminal, port = quickstart
    terminal.read_until("--remove takes it away again", 180)
    assert http_client.get(port, "acme.localhost", "/admin/login/").status == 200
    assert http_client.get(port, "globex.localhost", "/").status == 200
    uids = [pwd.getpwnam(name).pw_uid for name in USERS]
    running = processes.processes_of_uids(uids)
    assert {os.stat(f"/proc/{p.pid}").st_uid for p in running} == set(uids)
    shown = subprocess.run(["/sbin/runuser", "-u", "acme", "--", PLACE / "rowhouse", "--socket",
                            PLACE / "run/control.sock", "status"], capture_output=True, text=True, check=True)
    assert "acme " in shown.stdout and "globex" not in shown.stdout
    terminal.press(CTRL_C)
    assert terminal.wait(30) == 0, terminal.text
    assert "Stopping" in terminal.text
    assert [p for p in running if p.is_alive()] == [] and processes.processes_of_uids(uids) == []
    with pytest.raises(OSError):
        http_client.get(port, "acme.localhost", "/")
