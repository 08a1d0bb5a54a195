"""The cases of HTTP/1.1 as data: what a client sends, and the one right answer of the whole gateway.

Ids are the rows of the list of known attacks and oddities that the gateway is held against: framing (H01-H30), targets
and hosts (H31-H40), request lines (H41-H45), pipelines, bodies and expectations (H51-H57), fields that only a trusted
side may set (H59-H65).  `test_http_rows.py` sends each whole, byte by byte, in pieces, and glued to a request after it.
"""
from dataclasses import dataclass

HOST = "acme.test"


@dataclass(frozen=True)
class Row:
    id: str
    sent: bytes
    statuses: tuple  # of all answers, in order
    closes: bool     # the gateway ends the connection after the last of them
    sees: tuple = ()    # ((environ key, value), ...): what the app is told (the row asks for /environment)
    hidden: tuple = ()  # keys that the app must not be told
    body: bytes = None  # that the app gets (the row asks for /upload)

    @property
    def name(self):
        return f"{self.id} {self.sent[:60]!r}"


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def ok(id_, sent, *statuses, **more):
    return Row(id_, _bytes(sent), statuses or (200,), False, **more)


def bad(id_, sent, *statuses):
    """Refused, and the connection closed."""
    return Row(id_, _bytes(sent), statuses or (400,), True)


def get(fields="", target="/hello", host=f"Host: {HOST}\r\n"):
    return f"GET {target} HTTP/1.1\r\n{host}{fields}\r\n"


def post(fields, body="", target="/upload"):
    return f"POST {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n{body}"


def old(fields, body=""):
    return f"POST /upload HTTP/1.0\r\nHost: {HOST}\r\n{fields}\r\n{body}"


def length(value):
    return post(f"Content-Length: {value}\r\n", "hello")


def coding(value):
    return post(f"Transfer-Encoding: {value}\r\n", "5\r\nhello\r\n0\r\n\r\n")


def chunked(body):
    return post("Transfer-Encoding: chunked\r\n", body)


def host(value):
    return get(host=f"Host: {value}\r\n")


def line(text):
    return f"{text}\r\nHost: {HOST}\r\n\r\n"


def target(value):
    return line(f"GET {value} HTTP/1.1")


def seen(id_, fields, *sees, hidden=()):
    return ok(id_, get(fields, "/environment"), sees=sees, hidden=hidden)


FRAMING = [
    bad("H01", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    bad("H02", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")),
    bad("H02", post("Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 0\r\n", "0\r\n\r\n")),
    bad("H02", post("X: y\r\n Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    bad("H03", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!")),
    bad("H04", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
    *(bad("H04", length(v)) for v in ("5, 5", "5,5")),
    *(bad("H05", length(v)) for v in ("-1", "+5", "5 5", "0x10", "1_0", "5.0", "1e3", "", "5\t", "\xb2", "\"5\"")),
    ok("H05", length("5 "), body=b"hello"),
    *(bad("H06", length(v)) for v in ("010", "000005", "00")),
    *(bad("H07", length(v)) for v in ("18446744073709551616", "9223372036854775808", "1" * 30)),
    bad("H08", length(11 * 1024 * 1024), 413),
    bad("H08", length("9223372036854775807"), 413),
    bad("H09", coding("chunked, chunked")),
    bad("H09", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    *(bad("H10", coding(v), 501) for v in ("xchunked", "identity", "gzip", "gzip, chunked")),
    *(bad("H10", coding(v)) for v in ("chunked, gzip", "chunked, identity")),
    *(ok("H11", coding(v), body=b"hello") for v in ("\tchunked", "chunked ", "Chunked")),
    bad("H11", post("Transfer-Encoding: \tchunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")),
    *(bad("H12", coding(v)) for v in (",chunked", "chunked,", "", "chunked;a=b", '"chunked"', "\x0bchunked",
                                      "\xa0chunked", "chunked\x11", "\0chunked", "chun ked")),
    bad("H13", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
    bad("H13", post("Content-Length : 3\r\n", "abc")),
    bad("H14", old("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    bad("H15", post("Transfer_Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
    bad("H15", post("Content_Length: 6\r\nContent-Length: 5\r\n", "hello")),
    seen("H15", "Transfer_Encoding: chunked\r\n", hidden=("HTTP_TRANSFER_ENCODING",)),
    seen("H15", "Content_Length: 5\r\n", hidden=("HTTP_CONTENT_LENGTH",)),
    seen("H16", "X_Custom: evil\r\nX-Custom: good\r\n", ("HTTP_X_CUSTOM", "good")),
    seen("H16", "X_Only: evil\r\n", hidden=("HTTP_X_ONLY",)),
    bad("H17", get(host=f" Host: {HOST}\r\n")),
    bad("H17", get(host=f"\tX: y\r\nHost: {HOST}\r\n")),
    *(bad("H17", get(f"X: y\r\n{fold}")) for fold in (" z\r\n", "\tz\r\n", " \r\n")),
    bad("H18", f"GET /hello HTTP/1.1\nHost: {HOST}\r\n\r\n"),
    bad("H18", f"GET /hello HTTP/1.1\r\nHost: {HOST}\n\r\n"),
    bad("H18", f"GET /hello HTTP/1.1\r\nHost: {HOST}\r\n\n"),
    bad("H18", f"\nGET /hello HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
    bad("H18", chunked("5\nhello\r\n0\r\n\r\n")),
    bad("H18", chunked("5\r\nhello\n0\r\n\r\n")),
    bad("H18", chunked("5\r\nhello\r\n0\n\r\n")),
    bad("H18", chunked("5\r\nhello\r\n0\r\nX: y\n\r\n")),
    *(bad("H19", get(f)) for f in ("X\r: y\r\n", "X: y\rz\r\n", "X: y\r\r\n")),
    bad("H19", line("GET /\r HTTP/1.1")),
    bad("H19", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n")),
    *(bad("H20", get(f"X: {v}\r\n")) for v in ("a\0b", "a\x01", "\x1f", "a\x7f", "a\x0bb")),
    seen("H20", "X-Tab: a\tb\r\n", ("HTTP_X_TAB", "a\tb")),
    seen("H21", "X-Old: \x80\xff\r\n", ("HTTP_X_OLD", "\x80\xff")),
    *(bad("H22", get(f)) for f in ("X Y: z\r\n", "X(: z\r\n", "X\x80: z\r\n", "X\0: z\r\n", ": x\r\n", "nocolon\r\n")),
    *(bad("H23", chunked(f"{size}\r\nx\r\n0\r\n\r\n"))
      for size in ("", "0x1", "+1", "-1", "1_0", " 1", "1 ", "0" * 16 + "1", "1Z", "g", "1\t")),
    ok("H24", chunked("0005\r\nhello\r\n0\r\n\r\n"), body=b"hello"),
    ok("H24", chunked("A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n"), body=b"01234567890123456789"),
    ok("H25", chunked('5;a=b\r\nhello\r\n0;c="d"\r\n\r\n'), body=b"hello"),
    bad("H25", chunked('5;a="q;\r"\r\nhello\r\n0\r\n\r\n')),
    bad("H25", chunked(f"5;a={'b' * 300}\r\nhello\r\n0\r\n\r\n")),
    bad("H25", chunked(f"1;a={'b' * 200}\r\nx\r\n" * 30 + "0\r\n\r\n")),
    bad("H26", chunked("5\r\nhelloXX0\r\n\r\n")),
    bad("H26", chunked("5\r\nhello!\r\n0\r\n\r\n")),
    bad("H27", chunked("5\r\nhello\r\n\r\n0\r\n\r\n")),
    bad("H27", chunked("5\r\nhello\r\n0\r\nXX\r\n\r\n")),
    ok("H29", chunked("5\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n"), body=b"hello"),
    *(bad("H29", chunked(f"5\r\nhello\r\n0\r\n{name}: y\r\n\r\n"))
      for name in ("Transfer-Encoding", "Content-Length", "Host", "Authorization")),
    ok("H30", chunked("1\r\nx\r\n" * 3000 + "0\r\n\r\n"), body=b"x" * 3000),
    bad("H30", chunked(f"{'0' * 15}1\r\nx\r\n" * 8000 + "0\r\n\r\n")),
]

TARGETS = [
    bad("H31", get(host="")),
    bad("H31", get(host=f"Host: {HOST}\r\nHost: {HOST}\r\n")),
    *(bad("H31", host(v)) for v in ("a, b", "a b", "a@b", "a/b", "a\0b", "a?b", "a:b", "a:99999", "a..b", "[::1")),
    bad("H32", host("")),
    ok("H32", f"GET http://{HOST}/hello HTTP/1.1\r\nHost:\r\n\r\n"),
    ok("H33", host("nobody.test"), 421),
    ok("H34", target(f"http://{HOST}/hello")),
    ok("H34", target(f"HTTP://{HOST.upper()}:80/hello")),
    *(bad("H35", target(v)) for v in ("http://b/", f"http://{HOST}:81/", f"https://{HOST}/", f"http://u@{HOST}/",
                                      f"http://u:p@{HOST}/", "http:///", "ftp://a/")),
    *(bad("H36", target(v)) for v in ("a:80", "foo/bar", "*", "?x")),
    bad("H37", line(f"CONNECT {HOST}:80 HTTP/1.1"), 405),
    ok("H38", line("OPTIONS * HTTP/1.1"), 204),
    *(bad("H39", target(v)) for v in ("/a#b", "/a b", "/a\x01", "/a\tb", "/a\0b", "/a\x7f", "/\x80", "/?\xff")),
    ok("H39", target('/environment?"<>\\^`{|}'), sees=(("QUERY_STRING", '"<>\\^`{|}'),)),
    ok("H40", target("/x/../environment"), sees=(("PATH_INFO", "/environment"),)),
    ok("H40", target("/%65nvironment"), sees=(("PATH_INFO", "/environment"),)),
    ok("H40", target("/%2fenvironment"), 404),
    ok("H40", target("//environment"), 404),
    *(bad("H40", target(v)) for v in ("/..", "/a/../../b", "/%2e%2e", "/a/..%2f..", "/%00", "/%", "/%4", "/%zz")),
]

REQUEST_LINES = [
    *(bad("H41", line(f"{m} / HTTP/1.1"), 501) for m in ("get", "Get", "BREW", "A" * 33)),
    *(bad("H41", line(f"{m} / HTTP/1.1")) for m in ('G=":<>"', "G\x80T", "")),
    bad("H42", "GET /\r\n"),
    *(bad("H42", line(f"GET / {v}")) for v in ("HTTP/0.9", "HTTP/1.2", "HTTP/2", "HTTP/1.32", "HTTP/111", "HTTP/1.",
                                               "HTTP/99999999999999999999.1", "http/1.1", "ICY/1.1")),
    *(bad("H42", line(f"GET / {v}"), 505) for v in ("HTTP/2.0", "HTTP/3.7")),
    *(bad("H43", line(v)) for v in ("GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\x0bHTTP/1.1",
                                    "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET")),
    ok("H43", "\r\n" + get()),
    bad("H43", "\r\n\r\n" + get()),
    ok("H44", target("/hello?" + "a" * (8192 - len("GET /hello? HTTP/1.1")))),
    bad("H44", target("/hello?" + "a" * (8193 - len("GET /hello? HTTP/1.1"))), 414),
    ok("H45", get(f"X: {'v' * (16 * 1024 - 3)}\r\n")),
    bad("H45", get(f"X: {'v' * (16 * 1024 - 2)}\r\n"), 431),
    bad("H45", get(f"X: {'v' * 16_000}\r\n" * 5), 431),
    ok("H45", get("".join(f"X-{i}: v\r\n" for i in range(60)))),
    bad("H45", get("".join(f"X-{i}: v\r\n" for i in range(100))), 431),
]

EXCHANGES = [
    ok("H51", get() * 100, *[200] * 100),
    bad("H52", get() + get("Bad Name: x\r\n"), 200, 400),
    bad("H52", get() + post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "abc"), 200, 400),
    ok("H53", get("Content-Length: 5\r\n", "/upload") + "hello", body=b"hello"),
    ok("H54", post("Content-Length: 1000\r\n", "x" * 1000, "/hello")),
    ok("H54", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "/hello")),
    bad("H55", post("Expect: x\r\nContent-Length: 5\r\n", "hello"), 417),
    bad("H55", post("Expect: 100-continue, x\r\nContent-Length: 5\r\n", "hello"), 417),
    ok("H55", post("Expect: 100-continue\r\nContent-Length: 0\r\n"), body=b""),
    ok("H55", post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), body=b"hello"),
    ok("H56", get("Upgrade: websocket\r\nConnection: Upgrade\r\n")),
    ok("H56", get("Upgrade: websocket\r\n")),
    bad("H56", post("Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n", "hello")),
    ok("H57", get("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n")),
    bad("H57", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ok("H67", post("Content-Encoding: gzip\r\nContent-Length: 5\r\n", "\x1f\x8b\x08\0\0"), body=b"\x1f\x8b\x08\0\0"),
]

FIELDS = [
    seen("H59", "Connection: X-Forwarded-For, Host, X-Kept\r\nX-Kept: y\r\n", ("HTTP_HOST", HOST), ("HTTP_X_KEPT", "y"),
         ("HTTP_X_FORWARDED_FOR", "127.0.0.1"), hidden=("HTTP_CONNECTION",)),
    *(seen("H60", f"{name}: 1.2.3.4\r\n", ("REMOTE_ADDR", "127.0.0.1"), ("HTTP_X_FORWARDED_FOR", "127.0.0.1"),
           hidden=() if name == "X-Forwarded-For" else ("HTTP_" + name.upper().replace("-", "_"),))
      for name in ("X-Forwarded-For", "X-Forwarded", "X-Forwarded-By", "X-Forwarded-Server", "Forwarded", "X-Real-IP",
                   "X-Client-IP", "X-Cluster-Client-IP", "X-Forwarded-Port", "X-Forwarded-Prefix")),
    seen("H61", "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n", ("wsgi.url_scheme", "http"),
         ("HTTP_X_FORWARDED_PROTO", "http"), hidden=("HTTP_X_FORWARDED_SSL",)),
    seen("H62", "Proxy: http://evil\r\n", hidden=("HTTP_PROXY",)),
    seen("H63", "SCRIPT-NAME: /x\r\nREMOTE-USER: root\r\nPATH-INFO: /y\r\n", ("SCRIPT_NAME", ""),
         ("PATH_INFO", "/environment"), hidden=("REMOTE_USER",)),
    seen("H63", "UWSGI_FILE: /x\r\nwsgi.url_scheme: evil\r\nHTTP-X: y\r\n", ("wsgi.url_scheme", "http"),
         hidden=("UWSGI_FILE", "HTTP_UWSGI_FILE", "HTTP_X")),
    bad("H64", f"PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n{get()}"),
    bad("H64", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\0" * 12 + get().encode()),
    *(bad("H65", get(f"{name}: a\r\n{name.upper()}: a\r\n"))
      for name in ("Content-Type", "Authorization", "User-Agent", "Referer", "Range", "Origin")),
    seen("H65", "Cookie: a=1\r\nX: y\r\nCookie: b=2\r\n", ("HTTP_COOKIE", "a=1; b=2")),
    seen("H65", "Accept: x\r\nAccept: y\r\n", ("HTTP_ACCEPT", "x, y")),
]

ROWS = FRAMING + TARGETS + REQUEST_LINES + EXCHANGES + FIELDS
