"""A Flask app: what it yields is seen at once."""
import hashlib
import time

import pytest
from http_client import Connection
from rowhouse_host import ROOT, SLOW

SEEN_WITHIN_MS = 500 if SLOW else 50


@pytest.fixture
def globex(host):
    tenant = host.add_tenant("globex")
    tenant.copy(ROOT / "examples/globex/site", "site")
    tenant.manifest((ROOT / "examples/globex/rowhouse.yaml").read_text().replace("globex.localhost", tenant.domain))
    host.start("globex/shop")
    return tenant


def delays_ms(host, domain):
    """For every line of the stream: how long after it was made it was here."""
    delays = []
    with Connection(host.port) as connection:
        connection.send(domain, "/ticks?count=20&ms=100")
        assert connection.read_head().header("Transfer-Encoding") == "chunked"
        for chunk in connection.chunks():
            seen = time.monotonic_ns()
            delays += [(seen - int(line.split()[1])) / 1e6 for line in chunk.decode().splitlines()]
    return delays


@pytest.mark.sanitized
def test_each_chunk_of_a_generator_is_seen_within_50_ms(host, globex):
    # What is claimed is that nothing waits for the next chunk (100 ms later); a busy machine gets three tries.
    worst = []
    for _ in range(3):
        delays = delays_ms(host, globex.domain)
        assert len(delays) == 20
        worst.append(max(delays))
        if worst[-1] < SEEN_WITHIN_MS:
            return
    raise AssertionError(f"the slowest chunk of each try took {worst} ms")


def test_templates_forms_and_json_work(host, globex):
    page = host.http(globex.domain, "/")
    assert page.status == 200 and f"under uid {globex.uid}" in page.text
    answer = host.http(globex.domain, "/greet", method="POST", body=b"name=Hank",
                       headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert '"Hello, Hank"' in answer.text


def test_a_client_that_leaves_a_stream_does_not_hold_the_worker(host, globex):
    for _ in range(30):
        with Connection(host.port) as connection:
            connection.send(globex.domain, "/ticks?count=1000&ms=50")
            connection.read_head()
    began = time.monotonic()
    assert host.http(globex.domain, "/").status == 200
    assert time.monotonic() - began < 5


def test_an_upload_without_a_length_arrives_byte_identical(host, globex):
    parts = [hashlib.sha256(str(n).encode()).digest() * 1000 for n in range(100)]
    with Connection(host.port) as connection:
        head = f"POST /upload HTTP/1.1\r\nHost: {globex.domain}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.socket.sendall(head.encode())
        for part in parts:
            connection.socket.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        connection.socket.sendall(b"0\r\n\r\n")
        answer = connection.read_response()
    assert answer.status == 200, answer.text
    assert hashlib.sha256(b"".join(parts)).hexdigest() in answer.text
