"""A load client that trusts nothing: every answer must be the whole body of the request that was sent.

wrk tells how many; this tells how right.  Each request carries an id of its own, which the probe app repeats
through its whole body.
"""
import collections
import itertools
import random
import threading
import time

from background import Asking
from http_client import Connection, CutResponse

SIZES = (20, 64, 1000, 9000, 40_000, 200_000)


def expected_body(identity, size):
    line = f"{identity}\n".encode()
    return (line * (size // len(line) + 1))[:size]


class Load(Asking):
    """`connections` threads that ask as fast as they are answered, until stopped.

    counts: 200, 502, ... for complete answers by status, "cut" for visibly aborted ones (also before their first
    byte), "refused" for connections that could not be made.  wrong: what must never be there.
    """

    def __init__(self, port, host, connections=16, slow_ms=0, seed=1):
        super().__init__(connections)
        self.port, self.host, self.slow_ms, self.seed = port, host, slow_ms, seed
        self.counts, self.wrong = collections.Counter(), []
        self.answered_at = []
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)

    @property
    def total(self):
        return sum(self.counts.values())

    def run(self, number):
        rng, connection = random.Random(self.seed * 1000 + number), None
        while not self.stop.is_set():
            try:
                connection = connection or Connection(self.port)
            except OSError:
                self._count("refused")
                time.sleep(0.01)
                continue
            if not self._ask(connection, rng):
                connection.close()
                connection = None
        if connection:
            connection.close()

    def _ask(self, connection, rng):
        """True when the connection can be used again."""
        identity, size = f"{self.seed}-{next(self._numbers)}", rng.choice(SIZES)
        mode = rng.choice(("sized", "stream"))
        path = f"/echo?id={identity}&size={size}&mode={mode}&ms={self.slow_ms}"
        try:
            connection.send(self.host, path)
            head = connection.read_head()
            body = self._body(connection, head)
        except (CutResponse, OSError):
            self._count("cut")
            return False
        except Exception as error:  # noqa: BLE001 - what is no HTTP is wrong, whatever it is
            self.wrong.append(f"{identity}: {error!r}")
            return False
        self._judge(identity, size, head, body)
        return (head.header("Connection") or "").lower() != "close"

    def _count(self, what):
        with self._lock:
            self.counts[what] += 1

    @staticmethod
    def _body(connection, head):
        if "chunked" in (head.header("Transfer-Encoding") or ""):
            return b"".join(connection.chunks())
        return connection.take(int(head.header("Content-Length")))

    def _judge(self, identity, size, head, body):
        self._count(head.status)
        if head.status == 200:
            self.answered_at.append(time.monotonic())
            if body != expected_body(identity, size):
                self.wrong.append(f"{identity}: {len(body)} of {size} bytes, begins {body[:60]!r}")
        elif head.header("Rowhouse-Cause") is None:
            self.wrong.append(f"{identity}: {head.status} without a cause: {body[:200]!r}")
