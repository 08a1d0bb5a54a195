"""Every row of http_rows.py over the real gateway: whole, byte by byte, in random pieces, glued to a next request."""
import hashlib
import json
import random
import socket

import pytest
from http_client import Connection, CutResponse
from http_rows import HOST, ROWS

LAST = f"GET /hello HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
MOST_SINGLE_BYTES = 1500  # longer rows are split into larger pieces
PIECES = 4


@pytest.fixture
def acme(host):
    tenant = host.add_probe("acme", threads="4")
    host.gateways = 1
    host.start("acme/site")
    return tenant


def send_pieces(connection, data, pieces):
    """Each piece is a packet of its own; a refusal may come before the last of them."""
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        for piece in pieces:
            connection.socket.sendall(data[piece])
    except ConnectionError:
        pass


def whole(data, _random):
    return [slice(0, len(data))]


def byte_by_byte(data, _random):
    step = 1 if len(data) <= MOST_SINGLE_BYTES else 997
    return [slice(at, at + step) for at in range(0, len(data), step)]


def in_pieces(data, chance):
    cuts = sorted(chance.sample(range(1, len(data)), min(PIECES, len(data) - 1)))
    return [slice(a, b) for a, b in zip([0, *cuts], [*cuts, len(data)])]


def answers_to(port, row, split, glued, chance):
    """All final answers until the gateway closes; after a row that keeps the connection, one more request ends it."""
    sent = row.sent + LAST if glued else row.sent
    with Connection(port, 20) as connection:
        send_pieces(connection, sent, split(sent, chance))
        answers = []
        try:
            while True:
                answer = connection.read_response()
                if answer.status == 100:
                    continue
                answers.append(answer)
                if not glued and not row.closes and len(answers) == len(row.statuses):
                    connection.socket.sendall(LAST)
        except CutResponse:
            assert connection.buffer == b"", "an answer was cut"
        return answers


def check(row, answers):
    expected = row.statuses if row.closes else (*row.statuses, 200)
    assert tuple(a.status for a in answers) == expected
    if row.closes:
        assert answers[-1].header("Connection") == "close"
        assert answers[-1].cause, "a refusal has its cause"
    if row.sees or row.hidden:
        environ = json.loads(answers[0].text)["wsgi"]
        for key, value in row.sees:
            assert environ[key] == value, key
        for key in row.hidden:
            assert key not in environ, f"{key}: {environ[key]}"
    if row.body is not None:
        assert json.loads(answers[0].text) == {"bytes": len(row.body), "sha256": hashlib.sha256(row.body).hexdigest()}


@pytest.mark.sanitized
@pytest.mark.parametrize("split, glued", [(whole, False), (whole, True), (byte_by_byte, False), (byte_by_byte, True),
                                          (in_pieces, False), (in_pieces, True)],
                         ids=["whole", "glued", "bytes", "bytes-glued", "pieces", "pieces-glued"])
def test_every_row_has_its_one_answer(host, acme, split, glued):
    chance, wrong = random.Random(5), []
    for row in ROWS:
        try:
            check(row, answers_to(host.port, row, split, glued, chance))
        except (AssertionError, OSError, KeyError, ValueError) as error:
            wrong.append(f"{row.name}: {error!r}"[:400])
    assert not wrong, f"{len(wrong)} of {len(ROWS)}:\n" + "\n".join(wrong)


def test_a_body_that_ends_early_is_never_whole_to_the_app(host, acme):
    """H28: the app's read of a cut body must not look like its end, and nobody gets an answer."""
    for sent in (b"Content-Length: 10\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                 b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"):
        with Connection(host.port) as connection:
            connection.socket.sendall(f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\n".encode() + sent)
            connection.socket.shutdown(socket.SHUT_WR)
            with pytest.raises(CutResponse):
                answer = connection.read_response()
                assert answer.status >= 400, answer
                raise CutResponse("refused")
    assert host.http(HOST).status == 200


@pytest.mark.sanitized
def test_a_client_that_waits_for_100_gets_it_and_then_its_one_answer(host, acme):
    """H55 as clients mean it: the body is sent only when it has been asked for, and the connection goes on."""
    with Connection(host.port) as connection:
        for body in (b"hello", b"again"):
            connection.socket.sendall(f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n"
                                      "Expect: 100-continue\r\n\r\n".encode())
            interim = connection.read_response()
            assert (interim.status, interim.headers, interim.body) == (100, [], b"")
            connection.socket.sendall(body)
            answer = connection.read_response()
            assert answer.status == 200 and json.loads(answer.text)["sha256"] == hashlib.sha256(body).hexdigest()
