"""rowhoused of a test, started by systemd from a copy of the installed unit, so that it has what the unit gives and
lacks what the unit takes away: the capabilities, the mounts, the delegated cgroup."""
import itertools
import os
import pathlib
import signal
import subprocess
import time

UNITS = pathlib.Path("/run/systemd/system")
NUMBERS = itertools.count(1)
# Of a test's own: what is started, where it writes, and that it stays down when it is down.
REPLACED = ("ExecStart=", "Restart=", "RestartSec=", "RuntimeDirectory=", "StateDirectory=", "LogsDirectory=")


def systemctl(*arguments, check=True):
    return subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=check).stdout.strip()


class UnitDaemon:
    """As much of subprocess.Popen as a Host needs; `pid` is the unit's main process, the keeper."""

    def __init__(self, template, command, log_path, environment):
        self.name = f"rowhouse-test-{os.getpid()}-{next(NUMBERS)}.service"
        kept = [line for line in pathlib.Path(template).read_text().splitlines() if not line.startswith(REPLACED)]
        own = ["ExecStart=" + " ".join(map(str, command)), "Restart=no", f"StandardOutput=append:{log_path}",
               f"StandardError=append:{log_path}", *(f'Environment="{k}={v}"' for k, v in environment.items())]
        at = kept.index("[Service]") + 1
        (UNITS / self.name).write_text("\n".join(kept[:at] + own + kept[at:]) + "\n")
        systemctl("daemon-reload")
        systemctl("start", "--no-block", self.name)
        self.pid = self._main_pid()
        self.returncode = None

    def _main_pid(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            pid = int(systemctl("show", "--property=MainPID", "--value", self.name) or 0)
            if pid or self._state() == "failed":
                return pid
            time.sleep(0.05)
        raise AssertionError(f"{self.name} has no main process")

    def _state(self):
        return systemctl("show", "--property=ActiveState", "--value", self.name)

    def poll(self):
        if self.returncode is None and self._state() in ("inactive", "failed"):
            code = systemctl("show", "--property=ExecMainCode", "--value", self.name)
            status = int(systemctl("show", "--property=ExecMainStatus", "--value", self.name))
            self.returncode = status if code == "1" else -status  # 1: CLD_EXITED
            self._forget()
        return self.returncode

    def wait(self, seconds=None):
        deadline = time.monotonic() + (seconds or 600)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.name, seconds)
            time.sleep(0.05)
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def _forget(self):
        (UNITS / self.name).unlink(missing_ok=True)
        systemctl("reset-failed", self.name, check=False)
