"""`rowhouse top`: live figures, as a program reads them and on terminals of two widths."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from load import Load
from processes import wait_until
from rowhouse_host import BUILD

DEADLINE_S = 40
SEQUENCE = re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")


class Terminal:
    """`rowhouse top` on a terminal of its own; what it shows is a grid of characters."""

    def __init__(self, host, columns, rows=24, *arguments):
        self.columns, self.rows = columns, rows
        self.end, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self._set_size(theirs, columns)
        self.process = subprocess.Popen(
            [BUILD / "rowhouse", "--socket", host.socket_path, "top", "--interval", "1", *arguments], stdin=theirs,
            stdout=theirs, stderr=theirs, cwd="/", env={"TERM": "xterm", "PATH": "/usr/bin:/bin"},
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.theirs, self.raw = theirs, ""

    def _set_size(self, fd, columns):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, columns, 0, 0))

    def resize(self, columns):
        self.columns = columns
        self._set_size(self.theirs, columns)

    def read(self):
        while select.select([self.end], [], [], 0.05)[0]:
            try:
                data = os.read(self.end, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data.decode()

    def lines(self):
        """The last whole picture: what follows the last way home of the cursor."""
        self.read()
        pictures = [p for p in self.raw.split("\x1b[H")[1:] if "\x1b[J" in p]
        if not pictures:
            return []
        return [SEQUENCE.sub("", line).rstrip() for line in pictures[-1].split("\x1b[J")[0].split("\r\n")]

    def press(self, key):
        os.write(self.end, key.encode())

    def wait(self, predicate):
        return wait_until(lambda: predicate(self.lines()) and self.lines(), DEADLINE_S,
                          lambda: "\n".join(self.lines()))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        os.close(self.theirs)
        os.close(self.end)


@pytest.fixture
def two(host):
    acme, globex = host.add_probe("acme"), host.add_probe("globex-with-a-longer-name")
    host.start("acme/site", f"{globex.name}/site")
    return acme, globex


def row_of(lines, app):
    return next((line.split() for line in lines if line.startswith(app)), None)


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_what_the_apps_do_and_no_line_is_too_long(host, two, columns):
    terminal = Terminal(host, columns)
    try:
        with Load(host.port, two[0].domain, 2) as load:
            load.wait_for(10)
            lines = terminal.wait(lambda lines: (row := row_of(lines, "acme/site")) and float(row[3 if columns == 200 else 2]
                                                                                          if len(row) > 4 else 0) > 0)
        titles = lines[1].split()
        expected = ["APP", "STATE", "REQ/S", "P95", "QUEUE", "CPU", "MEM", "IO/S"]
        if columns == 200:
            expected = ["APP", "STATE", "WORKERS", "REQ/S", "5XX/S", "MEAN", "P95", "QUEUE", "BUSY", "CPU", "OF", "MEM",
                        "OF", "IO/S"]
        assert titles == expected
        assert lines[0].startswith("2 apps, ")
        assert len(row_of(lines, "acme/site")) == len(expected)
        assert max(map(len, lines)) <= columns and len(lines) <= terminal.rows
        assert any(line.startswith("globex-with-a") for line in lines)
        assert lines[-1].startswith("c CPU")
    finally:
        terminal.close()


def test_keys_change_the_order_and_q_gives_the_terminal_back(host, two):
    terminal = Terminal(host, 120)
    try:
        terminal.wait(lambda lines: row_of(lines, "acme/site"))
        terminal.press("n")
        lines = terminal.wait(lambda lines: lines[0].endswith("by name"))
        assert [line.split("/")[0] for line in lines[2:4]] == sorted(line.split("/")[0] for line in lines[2:4])
        terminal.press("m")
        terminal.wait(lambda lines: lines[0].endswith("by memory"))
        terminal.press("\x1b[B")
        terminal.wait(lambda lines: len([line for line in lines if "/site" in line]) == 1)
        terminal.resize(80)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.wait(lambda lines: lines and max(map(len, lines)) <= 80 and "WORKERS" not in lines[1])
        terminal.press("q")
        assert terminal.process.wait(DEADLINE_S) == 0
        terminal.read()
        assert terminal.raw.endswith("\x1b[?25h\x1b[?1049l")
        assert termios.tcgetattr(terminal.theirs) == terminal.before
    finally:
        terminal.close()


def test_an_interrupt_gives_the_terminal_back(host, two):
    terminal = Terminal(host, 80)
    try:
        terminal.wait(lambda lines: row_of(lines, "acme/site"))
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.process.wait(DEADLINE_S) == 0
        assert termios.tcgetattr(terminal.theirs) == terminal.before
    finally:
        terminal.close()


def test_a_program_reads_one_measurement_as_json(host, two):
    acme = two[0]
    with Load(host.port, acme.domain, 2) as load:
        load.wait_for(10)
        began = time.monotonic()
        answer = host.cli("top", "--json", "--interval", "1")
        assert answer.code == 0 and time.monotonic() - began >= 1
    [row] = [row for row in answer.json["apps"] if row["tenant"] == "acme"]
    assert row["requests_per_second"] > 0 and row["latency_p95_ms"] > 0 and row["memory_bytes"] > 1_000_000
    assert row["cpu_percent"] > 0 and row["state"] == "running"
    idle = [row for row in answer.json["apps"] if row["tenant"] != "acme"][0]
    assert idle["requests_per_second"] == 0 and idle["latency_p95_ms"] is None
    once = host.cli("top", "--once", "--sort", "name", "acme", uid=acme.uid)
    assert once.code == 0 and "acme/site" in once.out and "globex" not in once.out and "\x1b" not in once.out
    assert host.cli("top", "--once", "globex", uid=acme.uid).code == 3
    assert host.cli("top", "--sort", "beauty").code == 2
