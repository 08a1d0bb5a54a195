"""A load whose every request is known by an id, and what the app says it ran: executed at most once, acknowledged
implies executed, bodies intact."""
import collections
import hashlib
import random
import threading
import time

from background import Asking
from http_client import Connection, CutResponse


class RecordingLoad(Asking):
    """`connections` threads that together send about `rate` POSTs a second, until stopped.  outcomes: by id, 200 or
    another status, "cut" or "refused"."""

    END_S = PATIENCE_S = 60

    def __init__(self, port, host, rate=300, connections=12):
        super().__init__(connections)
        self.port, self.host = port, host
        self.pause_s = connections / rate
        self.outcomes, self.wrong, self.answered_at = {}, [], []
        self._lock = threading.Lock()

    @property
    def counts(self):
        with self._lock:
            return collections.Counter(self.outcomes.values())

    def run(self, number):
        rng, connection, count, due = random.Random(number), None, 0, time.monotonic()
        while not self.stop.is_set():
            due = max(due + self.pause_s, time.monotonic())
            self.stop.wait(due - time.monotonic())
            identity, count = f"{number}-{count}", count + 1
            body = rng.randbytes(rng.choice((0, 100, 5000, 70_000)))
            try:
                connection = connection or Connection(self.port, 60.0)
            except OSError:
                self._note(identity, "refused")
                continue
            outcome = self._ask(connection, identity, body)
            self._note(identity, outcome)
            if outcome == "cut":
                connection.close()
                connection = None
        if connection:
            connection.close()

    def _ask(self, connection, identity, body):
        try:
            connection.send(self.host, f"/record?id={identity}", method="POST", body=body)
            response = connection.read_response("POST")
        except (CutResponse, OSError):
            return "cut"
        if response.status == 200:
            expected = f"{identity} {hashlib.sha256(body).hexdigest()}\n".encode() * 20
            if response.body != expected:
                self.wrong.append(f"{identity}: {response.body[:100]!r}")
        elif response.cause is None:
            self.wrong.append(f"{identity}: {response.status} without a cause")
        if (response.header("Connection") or "").lower() == "close":
            connection.close()
            connection.__init__(self.port, 60.0)
        return response.status

    def _note(self, identity, outcome):
        with self._lock:
            self.outcomes[identity] = outcome
            if outcome == 200:
                self.answered_at.append(time.monotonic())

    def broken_promises(self, directory):
        """What must never be, from what the clients saw and what the app wrote down in `directory`."""
        ran = collections.Counter(line for path in directory.glob("ran-*") for line in path.read_text().split())
        problems = [f"{identity} ran {count} times" for identity, count in ran.items() if count > 1]
        problems += [f"{identity} was answered and never ran" for identity, outcome in self.outcomes.items()
                     if outcome == 200 and identity not in ran]
        return problems + self.wrong
