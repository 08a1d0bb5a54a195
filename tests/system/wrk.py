"""wrk, for pressure: how many, not how right (load.py)."""
import re
import subprocess


class Wrk:
    """Runs in the background while the test does something."""

    def __init__(self, port, host, path="/hello", connections=16, seconds=4):
        self._process = subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Host: {host}",
             f"http://127.0.0.1:{port}{path}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._seconds = seconds
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._process.kill()
        self.text = self._process.communicate(timeout=self._seconds + 30)[0]

    def _number(self, pattern):
        match = re.search(pattern, self.text)
        return int(match.group(1)) if match else 0

    @property
    def requests(self):
        return self._number(r"(\d+) requests in")

    @property
    def bad_statuses(self):
        return self._number(r"Non-2xx or 3xx responses: (\d+)")

    @property
    def socket_errors(self):
        match = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", self.text)
        return dict(zip(("connect", "read", "write", "timeout"), map(int, match.groups()))) if match else {}
