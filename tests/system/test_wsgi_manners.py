"""What an app does to its own process and outlives: slow uploads, refused system calls, signals.  The numbers are those of
docs/wsgi.md; each runs as it is and under wsgiref.validate, whose app is mounted at /validated."""
import json
import os
import signal

import pytest
from http_client import Connection
from processes import wait_until
from rowhouse_host import PATIENCE_S
from test_wsgi_processes import MOUNTS, ask, create

pytestmark = pytest.mark.sanitized


@pytest.fixture(scope="module")
def acme(shared_host):
    """Two apps that no test here harms."""
    return create(shared_host, ", threads: 2")


@pytest.fixture(params=MOUNTS, ids=["plain", "validated"])
def mount(request):
    return request.param


def test_25_an_upload_byte_by_byte_keeps_nobody_else_waiting(shared_host, acme, mount):
    """It has one of the two threads; the other one answers after each of its bytes."""
    body = b"slowly, slowly"
    with Connection(shared_host.port) as slow:
        slow.socket.sendall(f"POST {mount}/whole HTTP/1.1\r\nHost: {acme.domain}\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n".encode())
        for at in range(len(body)):
            slow.socket.sendall(body[at:at + 1])
            assert isinstance(ask(shared_host, acme, f"{mount}/events"), list)
        assert json.loads(slow.read_response().body) == {"size": len(body), "sum": sum(body)}


def test_51_a_denied_system_call_is_an_error_and_no_death(shared_host, acme, mount):
    before = shared_host.worker_pids(MOUNTS[mount])
    assert ask(shared_host, acme, f"{mount}/system_calls") == {
        "clone3": os.strerror(38), "future": os.strerror(38), "mount": os.strerror(1), "unshare": os.strerror(1),
        "pidfd_open": "ok", "close_range": "ok", "statx": "ok", "rseq": os.strerror(22), "getrandom": 8,
        "memfd_create": 4}
    assert ask(shared_host, acme, f"{mount}/children") == {
        "run": 0, "shell": 7, "session": 0, "before": 0, "output": "said\n", "thread": [0], "spawn": 0, "system": 0}
    assert shared_host.worker_pids(MOUNTS[mount]) == before


def test_53_signal_handlers_of_the_app_run_while_it_is_idle(shared_host, acme, mount):
    [worker] = shared_host.worker_pids(MOUNTS[mount])
    ask(shared_host, acme, f"{mount}/events")

    def comes(name):
        wait_until(lambda: name in ask(shared_host, acme, f"{mount}/events"), PATIENCE_S, f"the handler of {name}")

    os.kill(worker, signal.SIGUSR1)
    comes("SIGUSR1")
    assert shared_host.http(acme.domain, f"{mount}/alarm").body == b"set"
    comes("SIGALRM")
    dump = ask(shared_host, acme, f"{mount}/dump")
    assert "in dump" in dump["text"] and "most recent call first" in dump["text"]
    assert shared_host.worker_pids(MOUNTS[mount]) == [worker]
