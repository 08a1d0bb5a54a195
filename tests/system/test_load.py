"""The load client itself: it finds every lie that it is there to find."""
import socket
import socketserver
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from load import Load, expected_body

HANG_UP = b"<hang up>"


class Answering(socketserver.BaseRequestHandler):
    """Answers each request by what the server's `answer(identity, size)` makes, and hangs up after HANG_UP."""

    def handle(self):
        buffer = b""
        while True:
            data = self.request.recv(65536)
            if not data:
                return
            buffer += data
            while b"\r\n\r\n" in buffer:
                head, buffer = buffer.split(b"\r\n\r\n", 1)
                query = parse_qs(urlsplit(head.split(b" ")[1].decode()).query)
                answer = self.server.answer(query["id"][0], int(query["size"][0]))
                self.request.sendall(answer.removesuffix(HANG_UP))
                if answer.endswith(HANG_UP):
                    return


def sized(body, length=None, status="200 OK", extra=""):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n{extra}\r\n"
    return head.encode() + body


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering)
        server.daemon_threads, server.answer = True, answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def outcome(port, until):
    load = Load(port, "x", 2)
    with load:
        deadline = threading.Event()
        for _ in range(500):
            if until(load) or deadline.wait(0.01):
                break
    return load


def test_right_answers_are_counted_and_nothing_is_wrong(serve):
    load = outcome(serve(lambda identity, size: sized(expected_body(identity, size))), lambda l: l.counts[200] > 50)
    assert set(load.counts) == {200} and load.wrong == []


def test_another_requests_bytes_are_wrong(serve):
    load = outcome(serve(lambda identity, size: sized(expected_body("other", size))), lambda l: l.wrong)
    assert load.wrong


def test_a_short_body_that_looks_complete_is_wrong(serve):
    load = outcome(serve(lambda identity, size: sized(expected_body(identity, size - 1))), lambda l: l.wrong)
    assert load.wrong


def test_a_body_that_ends_before_its_length_is_cut_and_not_wrong(serve):
    def answer(identity, size):
        return sized(expected_body(identity, size)[:-5], length=size) + HANG_UP

    load = outcome(serve(answer), lambda l: l.counts["cut"] > 2)
    assert set(load.counts) == {"cut"} and load.wrong == []


def test_a_connection_that_ends_before_an_answer_is_cut_too(serve):
    load = outcome(serve(lambda identity, size: HANG_UP), lambda l: l.counts["cut"] > 2)
    assert set(load.counts) == {"cut"} and load.wrong == []


def test_a_connection_that_cannot_be_made_is_refused(serve):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and never listens
        load = outcome(bound.getsockname()[1], lambda l: l.counts["refused"] > 2)
    assert set(load.counts) == {"refused"} and load.wrong == []


def test_an_error_without_a_cause_is_wrong_and_one_with_a_cause_is_counted(serve):
    bare = outcome(serve(lambda identity, size: sized(b"x", status="502 Bad Gateway")), lambda l: l.wrong)
    assert bare.counts[502] and bare.wrong
    told = outcome(serve(lambda identity, size: sized(b"x", status="502 Bad Gateway",
                                                      extra="Rowhouse-Cause: RH-WORKER-GONE\r\n")),
                   lambda l: l.counts[502] > 5)
    assert told.counts[502] and told.wrong == []


def test_what_is_no_http_is_wrong(serve):
    load = outcome(serve(lambda identity, size: b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\n"), lambda l: l.wrong)
    assert load.wrong
