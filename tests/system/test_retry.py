"""The retry rule: what never ran may run elsewhere, what ran is repeated only where the app allows it, and never twice."""
import collections
import itertools
import os
import signal

import pytest
from background import Background
from http_client import Connection, CutResponse
from processes import inner_pid, wait_until
from rowhouse_host import APPS, PATIENCE_S


class Site:
    """acme/site with the recorder app."""

    def __init__(self, host, **keys):
        self.host = host
        host.gateways = 1
        self.tenant = host.add_tenant("acme")
        self.tenant.copy(APPS / "recorder", "recorder")
        self.record = self.tenant.home / "record.txt"
        host.set_probe(self.tenant, wsgi="recorder:application", directory="recorder",
                       env=f"{{ RECORD: {self.record} }}", **keys)
        host.start("acme/site")

    def lines(self, word):
        """How often each id was written down."""
        text = self.record.read_text() if self.record.exists() else ""
        return collections.Counter(line.split()[1] for line in text.splitlines() if line.startswith(word + " "))

    @property
    def worker(self):
        [pid] = self.host.worker_pids("acme/site")
        return pid

    def send(self, connection, identity, method="POST", body=b"", **query):
        text = "&".join(f"{key}={value}" for key, value in {"id": identity, **query}.items())
        connection.send(self.tenant.domain, f"/run?{text}", method=method, body=body)

    def wait_begun(self, identity, times=1):
        wait_until(lambda: self.lines("begin")[identity] >= times, PATIENCE_S, f"{identity} has begun {times} times")


@pytest.mark.parametrize("method, body", [("POST", b"paid"), ("PUT", b"stored"), ("DELETE", b"")])
def test_a_request_whose_worker_dies_before_it_ran_runs_elsewhere_and_once(host, method, body):
    site = Site(host)
    with Connection(host.port) as connection:
        os.kill(site.worker, signal.SIGSTOP)
        site.send(connection, "one", method, body)
        host.wait_status("acme/site", lambda s: s["workers"] and s["workers"][0]["requests"] == 1)
        os.kill(site.worker, signal.SIGKILL)
        answer = connection.read_response()
    assert (answer.status, answer.body) == (200, b"one:" + body)
    assert site.lines("begin") == site.lines("end") == {"one": 1}


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE", "GET"])
def test_a_request_that_ran_is_never_repeated_by_default(host, method):
    site = Site(host)
    with Connection(host.port) as connection:
        site.send(connection, "one", method, b"" if method == "GET" else b"x", ms=60000)
        site.wait_begun("one")
        os.kill(site.worker, signal.SIGKILL)
        answer = connection.read_response()
    assert (answer.status, answer.cause) == (502, "RH-WORKER-GONE")
    host.wait_running("acme/site")
    assert host.http(site.tenant.domain, "/run?id=two", method="POST", body=b"x").status == 200
    assert site.lines("begin") == {"one": 1, "two": 1}


@pytest.mark.parametrize("method, body", [("GET", b""), ("PUT", b"stored" * 1000), ("DELETE", b"")])
def test_with_the_apps_consent_an_idempotent_request_runs_once_more(host, method, body):
    site = Site(host, retry="idempotent")
    with Connection(host.port, timeout=60) as connection:
        site.send(connection, "one", method, body, ms=2000)
        site.wait_begun("one")
        os.kill(site.worker, signal.SIGKILL)
        answer = connection.read_response()
    assert (answer.status, answer.body) == (200, b"one:" + body)
    assert site.lines("begin") == {"one": 2} and site.lines("end") == {"one": 1}


def test_even_with_consent_a_request_runs_at_most_twice(host):
    site = Site(host, retry="idempotent", workers="2")
    with Connection(host.port, timeout=60) as connection:
        site.send(connection, "one", "GET", ms=60000)
        for times in (1, 2):
            site.wait_begun("one", times)
            pid = int([line for line in site.record.read_text().splitlines() if line.startswith("begin one")][-1].split()[2])
            victims = [w["pid"] for w in host.status("acme/site")["workers"] if inner_pid(w["pid"]) == pid]
            assert len(victims) == 1
            os.kill(victims[0], signal.SIGKILL)
        assert connection.read_response().status == 502
    assert site.lines("begin") == {"one": 2}


def test_even_with_consent_a_post_that_ran_is_not_repeated(host):
    site = Site(host, retry="idempotent")
    with Connection(host.port) as connection:
        site.send(connection, "one", "POST", b"x", ms=60000)
        site.wait_begun("one")
        os.kill(site.worker, signal.SIGKILL)
        assert connection.read_response().status == 502
    assert site.lines("begin") == {"one": 1}


def test_even_with_consent_an_answer_that_has_begun_is_cut_and_not_repeated(host):
    site = Site(host, retry="idempotent")
    with Connection(host.port) as connection:
        site.send(connection, "one", "GET", head="1", ms=60000)
        assert connection.read_head().status == 200
        chunks = connection.chunks()
        assert next(chunks) == b"one"
        os.kill(site.worker, signal.SIGKILL)
        with pytest.raises(CutResponse):
            list(chunks)
    host.wait_running("acme/site")
    assert site.lines("begin") == {"one": 1} and site.lines("end") == {}


class Posts(Background):
    """Threads that send POSTs with ids of their own; `answers`: id to status, or "cut"."""

    END_S = 60

    def __init__(self, site, threads):
        super().__init__(threads)
        self.site, self.answers, self.wrong = site, {}, []
        self.numbers = itertools.count(1)

    def run(self, number):
        connection = None
        while not self.stop.is_set():
            identity = f"n{next(self.numbers)}"
            try:
                connection = connection or Connection(self.site.host.port, timeout=60)
                body = identity.encode() * 50
                self.site.send(connection, identity, "POST", body, ms=2)
                answer = connection.read_response()
                self.answers[identity] = answer.status
                if answer.status == 200 and answer.body != identity.encode() + b":" + body:
                    self.wrong.append(identity)
            except (CutResponse, OSError):
                self.answers[identity] = "cut"
                connection.close()
                connection = None

    def wait_for(self, more):
        goal = len(self.answers) + more
        wait_until(lambda: len(self.answers) >= goal, 60, f"{more} more answers")


@pytest.mark.sanitized
def test_under_kills_every_request_runs_at_most_once_and_what_is_acknowledged_ran(host):
    site = Site(host, workers="3", threads="2")
    with Posts(site, 8) as posts:
        posts.wait_for(100)
        for _ in range(12):
            pids = host.worker_pids("acme/site")
            if pids:
                os.kill(pids[0], signal.SIGKILL)
            posts.wait_for(20)
        wait_until(lambda: host.worker_pids("acme/site"), 90, "a worker is back")
        posts.wait_for(1)
    begun, ended = site.lines("begin"), site.lines("end")
    assert posts.wrong == []
    assert max(begun.values()) == 1, [each for each in begun if begun[each] > 1]
    acknowledged = {each for each, status in posts.answers.items() if status == 200}
    assert acknowledged <= set(ended)
    assert set(posts.answers.values()) <= {200, 502, 503, "cut"}, collections.Counter(posts.answers.values())
    assert len(acknowledged) > 100


def test_restarts_under_posts_lose_none_and_run_none_twice(host):
    site = Site(host, workers="2", threads="2")
    with Posts(site, 6) as posts:
        for _ in range(4):
            posts.wait_for(50)
            assert host.cli("restart", "acme/site").code == 0
        posts.wait_for(50)
    assert posts.wrong == []
    assert set(posts.answers.values()) == {200}, collections.Counter(posts.answers.values())
    assert site.lines("begin") == site.lines("end") == dict.fromkeys(posts.answers, 1)
