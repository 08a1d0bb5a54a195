"""What WSGI servers get wrong, row by row, through gateway and worker (PEP 3333; RFC 9112).  The number is that of the
behaviour in docs/wsgi.md.  Rows marked `valid` also run under wsgiref.validate, whose app is mounted at /validated."""
import json
import select
from dataclasses import dataclass
from typing import Callable

import pytest
from http_client import Connection, CutResponse
from processes import wait_until
from rowhouse_host import APPS, PATIENCE_S, SLOW

pytestmark = pytest.mark.sanitized

APP = "behaviours"
VALID, PLAIN = True, False


@dataclass
class Row:
    number: int
    name: str
    path: str
    check: Callable  # of a Response; its value must not be False
    method: str = "GET"
    body: bytes = b""
    headers: tuple = ()
    valid: bool = VALID
    logged: str = ""  # must be in the app's log
    then: str = ""    # must be the answer of /events

    @property
    def id(self):
        return f"{self.number:02}-{self.name}"


def environ(check):
    return lambda response: check(json.loads(response.body))


def is_error(response):
    return response.status == 500 and response.cause == "RH-APP-ERROR"


def is_json(value):
    return lambda response: response.status == 200 and json.loads(response.body) == value


def has_body(body):
    return lambda response: response.status == 200 and response.body == body


def is_cut(response):
    return isinstance(response, CutResponse)


SOURCE = (APPS / APP / "behaviours.py").read_bytes()
POST = {"method": "POST", "body": b"first\nsecond\nlast", "headers": (("Content-Type", "text/plain"),)}
BAD_HEADERS = [Row(30, f"a header of {kind} is not sent", f"/bad_header?{kind}", is_error, valid=PLAIN, logged=logged)
               for kind, logged in (("space", "X Bad"), ("colon", "X:Bad"), ("crlf", "X-A"), ("nul", "X-A"))]
ROWS = [
    Row(1, "a path in UTF-8 is latin-1 text", "/caf%C3%A9", environ(lambda e: e["PATH_INFO"] == "/caf\xc3\xa9")),
    Row(1, "every value is latin-1", "/kinds", environ(lambda e: e["strings"])),
    Row(2, "a path that is no UTF-8 reaches the app", "/%ff%fe", environ(lambda e: e["PATH_INFO"] == "/\xff\xfe")),
    Row(3, "at the root the script name is empty", "/x",
        environ(lambda e: (e["SCRIPT_NAME"], e["PATH_INFO"]) in (("", "/x"), ("/validated", "/x")))),
    Row(3, "the mount itself has an empty path", "/validated", valid=PLAIN,
        check=environ(lambda e: (e["SCRIPT_NAME"], e["PATH_INFO"]) == ("/validated", ""))),
    Row(3, "a longer name is not the mount", "/validatedly", valid=PLAIN,
        check=environ(lambda e: (e["SCRIPT_NAME"], e["PATH_INFO"]) == ("", "/validatedly"))),
    Row(4, "an encoded slash is a slash", "/a%2Fb", environ(lambda e: e["PATH_INFO"] == "/a/b")),
    Row(4, "an encoded NUL is refused", "/a%00b", lambda r: r.status == 400),
    Row(4, "dot segments are gone before routing", "/x/../y/./z", environ(lambda e: e["PATH_INFO"] == "/y/z")),
    Row(5, "the query is raw, the target too", "/a%20b?q=%41&r", environ(
        lambda e: e["QUERY_STRING"] == "q=%41&r" and e["REQUEST_URI"].endswith("/a%20b?q=%41&r"))),
    Row(5, "without a query it is empty", "/x", environ(lambda e: e["QUERY_STRING"] == "")),
    Row(6, "repeated slashes are kept", "//a//b", environ(lambda e: e["PATH_INFO"] == "//a//b"), valid=PLAIN),
    Row(7, "type and length have no twins", "/environ", environ(
        lambda e: e["CONTENT_LENGTH"] == "17" and e["CONTENT_TYPE"] == "text/plain"
        and not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(e)), **POST),
    Row(7, "absent when absent", "/x", environ(lambda e: not {"CONTENT_TYPE", "CONTENT_LENGTH"} & set(e))),
    Row(8, "repeated headers are joined", "/x", environ(
        lambda e: e["HTTP_X_A"] == "1, 2" and e["HTTP_COOKIE"] == "a=1; b=2"),
        headers=(("X-A", "1"), ("X-A", "2"), ("Cookie", "a=1"), ("Cookie", "b=2"))),
    Row(9, "a name with an underscore does not pass for another", "/x",
        environ(lambda e: e["HTTP_X_REAL"] == "dash"), headers=(("X-Real", "dash"), ("X_Real", "score"))),
    Row(10, "Proxy is no setting of the app", "/x", environ(lambda e: "HTTP_PROXY" not in e), headers=(("Proxy", "evil"),)),
    Row(11, "Authorization is passed", "/x", environ(lambda e: e["HTTP_AUTHORIZATION"] == "Basic eDp5"),
        headers=(("Authorization", "Basic eDp5"),)),
    Row(12, "what only a proxy may say is not believed", "/x", environ(
        lambda e: e["HTTP_X_FORWARDED_FOR"] == "127.0.0.1" and not {"HTTP_X_REAL_IP", "HTTP_FORWARDED",
                                                                   "HTTP_X_CLIENT_IP"} & set(e)),
        headers=(("X-Forwarded-For", "1.2.3.4,,"), ("X-Real-IP", "1.2.3.4"), ("Forwarded", "for=1.2.3.4"),
                 ("X-Client-IP", "1.2.3.4"))),
    Row(13, "addresses, port and scheme are the connection's", "/x", environ(
        lambda e: e["REMOTE_ADDR"] == "127.0.0.1" and e["REMOTE_PORT"].isdigit() and e["SERVER_PORT"].isdigit()
        and e["SERVER_PROTOCOL"] == "HTTP/1.1" and e["wsgi.url_scheme"] == "http" and "HTTPS" not in e),
        headers=(("X-Forwarded-Proto", "https"), ("HTTPS", "on"))),
    Row(14, "environ is a plain dict, new each time", "/kinds",
        environ(lambda e: e["dict"] and e["fresh"] and e["version"] == [1, 0])),
    Row(15, "threads and processes are told", "/x", environ(
        lambda e: e["wsgi.multithread"] is True and e["wsgi.multiprocess"] is True and e["wsgi.run_once"] is False)),
    Row(16, "very many headers are 431, not a hang", "/x", lambda r: r.status == 431,
        headers=tuple((f"X-{n}", "v") for n in range(1500))),
    Row(16, "a large header within the caps works", "/x", environ(lambda e: len(e["HTTP_X_LARGE"]) == 12000),
        headers=(("X-Large", "v" * 12000),)),
    Row(18, "the input ends", "/x", environ(lambda e: e["wsgi.input_terminated"] and "HTTP_TRANSFER_ENCODING" not in e)),
    Row(19, "reads of every kind", "/body", is_json(["", "fir", "st\n", "seco", "nd\nlast", ""]), **POST),
    Row(19, "lines", "/lines", is_json(["first\n", "second\n", "last"]), **POST),
    Row(22, "a body that is not read", "/ignore", has_body(b"unread"), method="POST", body=b"z" * 50000,
        headers=(("Content-Type", "a/b"),)),
    Row(26, "the head waits for the first byte", "/late_head", lambda r: (r.status, r.body) == (503, b"replaced")),
    Row(27, "a second start_response is an error", "/twice", is_error, logged="a second time"),
    Row(28, "exc_info after the head cuts the answer", "/after_head", is_cut, logged="too late"),
    Row(29, "start_response was never called", "/never", is_error, logged="start_response", valid=PLAIN),
    *[Row(30, f"status {status!r} is not sent", f"/status?{status}", is_error, valid=PLAIN)
      for status in ("20%20Short", "OK", "200", "2000%20Long", "200%20A%0D%0AX:%20y", "099%20Low", "101%20Switch", "600%20High")],
    *BAD_HEADERS,
    Row(31, "text beyond latin-1 names its header", "/bad_header?wide", is_error, valid=PLAIN, logged="X-A"),
    *[Row(32, f"headers as {kind} are a TypeError", f"/bad_header?{kind}", is_error, valid=PLAIN, logged="TypeError")
      for kind in ("tuple", "bytes", "three")],
    *[Row(33, f"{kind} is the server's", f"/bad_header?{kind}", is_error, valid=PLAIN, logged="hop-by-hop")
      for kind in ("chunked", "connection")],
    Row(34, "no header opens a file or another page", "/good_headers", has_body(b"x")),
    Row(35, "cookies stay separate", "/good_headers",
        lambda r: [v for k, v in r.headers if k.lower() == "set-cookie"] == ["a=1", "b=2"]),
    Row(35, "challenges stay separate", "/good_headers",
        lambda r: [v for k, v in r.headers if k.lower() == "www-authenticate"] == ["Basic", "Digest"]),
    Row(36, "write comes before the iterable", "/write", has_body(b"written returned")),
    Row(36, "write of text is a TypeError", "/write_text", is_error, logged="TypeError", valid=PLAIN),
    Row(36, "write in a later request raises", "/write_later", has_body(b"x")),
    Row(36, "and touches no other answer", "/use_kept", is_json("RuntimeError")),
    *[Row(37, f"a result of {kind} is an error that says so", f"/result?{kind}", is_error, valid=PLAIN, logged=logged)
      for kind, logged in (("none", "NoneType"), ("str", "str"), ("bytes", "bytes"), ("number", "int"), ("strs", "str"))],
    Row(38, "no items", "/nothing", has_body(b""), then="closed nothing"),
    Row(38, "only empty items", "/blanks", has_body(b""), then="closed blanks"),
    Row(39, "more than Content-Length is cut", "/length?5,10", has_body(b"zzzzz"), logged="longer than"),
    Row(39, "less than Content-Length breaks the answer", "/length?10,5", is_cut, logged="shorter than"),
    *[Row(39, f"a length that is {kind} is an error", f"/bad_header?{kind}", is_error)
      for kind in ("negative", "word")],
    Row(39, "one item gets its length", "/ignore", lambda r: r.header("Content-Length") == "6", valid=PLAIN),
    Row(40, "failing before the first chunk is 500", "/fails?0", is_error, then="closed fails", logged="fails fails"),
    Row(40, "failing later is seen by the client", "/fails?1", is_cut, then="closed fails", logged="fails fails"),
    Row(42, "HEAD keeps the length", "/ignore", lambda r: r.header("Content-Length") == "6" and r.body == b"", method="HEAD",
        valid=PLAIN),
    Row(42, "204 has no body", "/bodiless?204", lambda r: r.status == 204 and not r.header("Transfer-Encoding"),
        then="closed bodiless"),
    Row(42, "304 has no body", "/bodiless?304", lambda r: r.status == 304 and not r.header("Transfer-Encoding"),
        then="closed bodiless"),
    Row(43, "close is called for HEAD", "/nothing", lambda r: r.status == 200, method="HEAD", then="closed nothing"),
    Row(43, "a close that raises is only logged", "/bad_close", has_body(b"fine"), then="closed bad_close",
        logged="close fails"),
    Row(46, "file_wrapper begins where the file stands", "/file?offset", has_body(SOURCE[10:]), then="closed offset"),
    Row(46, "a shorter Content-Length is honoured", "/file?short", has_body(SOURCE[:5]), then="closed short"),
    Row(46, "anything with read will do", "/file?reader", has_body(b"\0read"), then="closed reader"),
    Row(46, "a text file is an error", "/file?text", is_error, logged="str"),
    Row(46, "a file that shrank breaks the answer", "/file?shrunk", is_cut, logged="shorter than"),
    *[Row(48, f"{kind} is 500 and the worker stays", f"/raises?{kind}", is_error, logged="of the app")
      for kind in ("exit", "interrupt", "base", "error")],
    Row(50, "children have default signals", "/children", is_json([0, [0, 0]])),
    Row(52, "a forked child does not answer", "/fork",
        environ(lambda e: isinstance(e["parent"], int) and e["status"] == 1 << 8)),
    Row(56, "the process is the tenant's", "/process", environ(
        lambda e: e["foreign"] == [] and e["umask"] == 0o022 and e["cwd"].endswith("/" + APP)
        and e["environment"]["HOME"] in e["cwd"] and e["environment"]["USER"] and e["encoding"] == "utf-8"
        and e["stdin"] == [1, 3] and len(e["argv"]) == 1)),
]


MOUNTS = {"": "acme/plain", "/validated": "acme/validated"}


def create(host, keys=""):
    tenant = host.add_tenant("acme")
    tenant.copy(APPS / APP, APP)
    common = (f"directory: {APP}, threads: 4, env: {{ USER: acme }}, buffering: false,\n"
              f"    timeouts: {{ startup: 60s, request: 20s }}{keys}")
    tenant.manifest(f"apps:\n  plain: {{ routes: [{tenant.domain}], wsgi: 'behaviours:application', {common} }}\n"
                    f"  validated: {{ routes: [{tenant.domain}/validated], wsgi: 'behaviours:validated', {common} }}\n")
    host.start(*MOUNTS.values())
    return tenant


@pytest.fixture(scope="module")
def acme(shared_host):
    return create(shared_host)


@pytest.fixture(params=MOUNTS, ids=["plain", "validated"])
def mount(request):
    return request.param


def ask(host, tenant, row, mount):
    """The answer, or the CutResponse that was one."""
    lines = [f"{row.method} {mount}{row.path} HTTP/1.1", f"Host: {tenant.domain}", *(f"{k}: {v}" for k, v in row.headers)]
    if row.body:
        lines.append(f"Content-Length: {len(row.body)}")
    with Connection(host.port) as connection:
        connection.socket.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + row.body)
        try:
            return connection.read_response(row.method)
        except CutResponse as cut:
            return cut


def run(host, tenant, row, mount, app):
    host.http(tenant.domain, f"{mount}/events")
    response = ask(host, tenant, row, mount)
    assert row.check(response) is not False, getattr(response, "body", response)
    if row.then:
        wait_until(lambda: row.then in host.http(tenant.domain, f"{mount}/events").text, PATIENCE_S, row.then)
    if row.logged:
        wait_until(lambda: row.logged in host.cli("logs", app).out, PATIENCE_S, f"{row.logged!r} in the log")
    assert host.http(tenant.domain, f"{mount}/ignore").status == 200, "the next request is answered"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_behaviour(shared_host, acme, row):
    run(shared_host, acme, row, "", "acme/plain")


@pytest.mark.parametrize("row", [row for row in ROWS if row.valid], ids=lambda row: row.id)
def test_behaviour_under_validate(shared_host, acme, row):
    run(shared_host, acme, row, "/validated", "acme/validated")


# --- those that are a conversation ---------------------------------------------------------------------------------
def events_of(host, tenant, mount):
    return json.loads(host.http(tenant.domain, f"{mount}/events").body)


def test_17_what_could_be_read_in_two_ways_is_400_and_the_end(shared_host, acme, mount):
    start = f"POST {mount}/ignore HTTP/1.1\r\nHost: {acme.domain}\r\n"
    for bad in ("Content-Length: +5\r\n\r\n", "Content-Length: 5abc\r\n\r\n", "Content-Length: 5, 5\r\n\r\n",
                "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                "X-A : b\r\n\r\n", "X-A: b\r\n folded\r\n\r\n", "X-A: b\rX-B: c\r\n\r\n", "Host: other.test\r\n\r\n",
                "Transfer-Encoding: xchunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"):
        with Connection(shared_host.port) as connection:
            connection.socket.sendall((start + bad).encode())
            response = connection.read_response()
            assert response.status in (400, 501), (bad, response)
            assert connection.take_to_end() == b"", bad


def test_18_a_chunked_body_is_read_to_its_end(shared_host, acme, mount):
    with Connection(shared_host.port) as connection:
        connection.socket.sendall(f"POST {mount}/whole HTTP/1.1\r\nHost: {acme.domain}\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n".encode())
        assert json.loads(connection.read_response().body) == {"size": 8, "sum": sum(b"abcdefgh"), "length": None}


def test_20_a_client_that_leaves_in_its_body_is_an_error_and_no_short_read(shared_host, acme, mount):
    events_of(shared_host, acme, mount)
    with Connection(shared_host.port) as connection:
        connection.socket.sendall(f"POST {mount}/partial HTTP/1.1\r\nHost: {acme.domain}\r\nContent-Length: 1000\r\n\r\nhalf".encode())
        seen = []
        wait_until(lambda: seen.extend(events_of(shared_host, acme, mount)) or seen, PATIENCE_S, "the app reads")
    wait_until(lambda: seen.extend(events_of(shared_host, acme, mount)) or seen[1:], PATIENCE_S, "the app's read ended")
    assert seen[1].startswith("read raised"), seen


def test_21_continue_comes_before_the_body_and_never_after_the_answer(shared_host, acme, mount):
    head = f"HTTP/1.1\r\nHost: {acme.domain}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with Connection(shared_host.port) as connection:
        connection.socket.sendall(f"POST {mount}/whole {head}".encode())
        assert connection.read_head().status == 100
        connection.socket.sendall(b"hello")
        assert json.loads(connection.read_response().body)["size"] == 5


def test_22_a_body_that_nobody_reads_leaves_the_connection_whole(shared_host, acme, mount):
    with Connection(shared_host.port) as connection:
        for _ in range(5):
            assert connection.request(acme.domain, f"{mount}/ignore", method="POST", body=b"GET /evil HTTP/1.1\r\n" * 100).body == b"unread"
        assert connection.request(acme.domain, f"{mount}/x").status == 200


def test_23_a_large_early_answer_meets_a_large_upload(shared_host, acme, mount):
    size = 8 << 20
    with Connection(shared_host.port) as connection:
        connection.socket.sendall(f"POST {mount}/early HTTP/1.1\r\nHost: {acme.domain}\r\nContent-Length: {size}\r\n\r\n".encode())
        connection.socket.setblocking(False)
        sent, got = 0, b""
        while b"0\r\n\r\n" not in got[-5:]:
            readable, writable, _ = select.select([connection.socket], [connection.socket] if sent < size else [], [], PATIENCE_S)
            assert readable or writable, "both sides wait for each other"
            if readable:
                got += connection.socket.recv(1 << 16)
            if writable:
                try:
                    sent += connection.socket.send(b"u" * min(65536, size - sent))
                except (BrokenPipeError, ConnectionResetError):
                    sent = size
        assert got.count(b"y") >= 32 * 65536


def test_24_a_body_over_the_limit_is_413_before_the_app(shared_host, acme, mount):
    with Connection(shared_host.port) as connection:
        connection.socket.sendall(f"POST {mount}/whole HTTP/1.1\r\nHost: {acme.domain}\r\nContent-Length: {3 << 30}\r\n\r\n".encode())
        response = connection.read_response()
    assert (response.status, response.cause) == (413, "RH-TOO-LARGE")


def test_44_and_45_a_chunk_is_seen_at_once_and_a_client_that_leaves_frees_the_thread(shared_host, acme, mount):
    events_of(shared_host, acme, mount)
    for _ in range(8):  # twice the threads
        with Connection(shared_host.port) as connection:
            connection.send(acme.domain, f"{mount}/ticks")
            connection.read_head()
            next(connection.chunks())
    seen = []
    wait_until(lambda: seen.extend(events_of(shared_host, acme, mount)) or len(seen) >= 8, PATIENCE_S, "every generator is closed")
    assert seen == ["closed ticks"] * 8


def test_38_and_42_answers_without_a_body_leave_the_connection_whole(shared_host, acme, mount):
    with Connection(shared_host.port) as connection:
        for path in ("/nothing", "/blanks", "/bodiless?204", "/bodiless?304"):
            assert connection.request(acme.domain, mount + path).body == b""
            assert connection.request(acme.domain, f"{mount}/ignore", method="HEAD").body == b""
            assert connection.request(acme.domain, f"{mount}/ignore").body == b"unread"


def test_44_many_small_chunks_that_come_quickly_leave_together(shared_host, acme, mount):
    with Connection(shared_host.port) as connection:
        connection.send(acme.domain, f"{mount}/bytes")
        connection.read_head()
        chunks = list(connection.chunks())
    assert b"".join(chunks) == b"b" * 5000 and len(chunks) < (2500 if SLOW else 500)


def test_45_the_access_log_says_who_ended_it(shared_host, acme, mount):
    with Connection(shared_host.port) as connection:
        connection.send(acme.domain, f"{mount}/ticks?mark={mount[1:] or 'plain'}")
        connection.read_head()

    def line():
        access = shared_host.cli("logs", MOUNTS[mount], "--access").out
        return next((each for each in access.splitlines() if f"mark={mount[1:] or 'plain'}" in each), None)

    told = wait_until(line, PATIENCE_S, "its line")
    assert '" 200 ' in told and " aborted" in told, told


def test_47_a_line_is_tagged_whatever_it_says(shared_host, acme, mount):
    assert shared_host.http(acme.domain, f"{mount}/errors").status == 200

    def lines():
        log = shared_host.cli("logs", MOUNTS[mount]).out
        return [line for line in log.splitlines() if "a forged line" in line or "first line" in line or "to stdout" in line]

    wait_until(lambda: len(lines()) >= 3, PATIENCE_S, "the lines")
    assert not [line for line in lines() if line.startswith("acme/other")]


def test_55_two_requests_run_truly_at_the_same_time(shared_host, acme, mount):
    with Connection(shared_host.port) as one, Connection(shared_host.port) as two:
        for connection in (one, two):
            connection.send(acme.domain, f"{mount}/meet")
        threads = {one.read_response().body, two.read_response().body}
    assert len(threads) == 2
