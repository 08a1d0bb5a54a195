"""The app of test_wsgi_behaviours.py: one path, one behaviour.  `application` as it is, `validated` under
wsgiref.validate, which watches the server and the app."""
import io
import json
import os
import subprocess
import sys
import threading
import time
from wsgiref.validate import validator

EVENTS = []  # what was closed, read and raised, for /events
TEXT = [("Content-Type", "text/plain")]


class Body:
    """An iterable that counts its close()."""

    def __init__(self, name, items, fail_at=None):
        self.name, self.items, self.fail_at, self.at = name, items, fail_at, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.at == self.fail_at:
            raise ValueError(f"{self.name} fails")
        if self.at == len(self.items):
            raise StopIteration
        self.at += 1
        return self.items[self.at - 1]

    def close(self):
        EVENTS.append(f"closed {self.name}")


def answer(start_response, value, headers=TEXT):
    start_response("200 OK", headers)
    return [value if isinstance(value, bytes) else json.dumps(value, default=repr).encode()]


def environ(env, start_response):
    return answer(start_response, {key: value for key, value in env.items() if isinstance(value, (str, bool, list, tuple))})


def kinds(env, start_response):
    return answer(start_response, {
        "dict": type(env) is dict, "fresh": "mark" not in env and env.setdefault("mark", "x") == "x",
        "strings": all(isinstance(v, str) and v.encode("latin-1") is not None for k, v in env.items()
                       if k.isupper() or k.startswith("HTTP_")),
        "version": env["wsgi.version"], "isatty": env["wsgi.errors"].isatty() if hasattr(env["wsgi.errors"], "isatty")
        else False})


def events(_env, start_response):
    taken, EVENTS[:] = list(EVENTS), []
    return answer(start_response, taken)


def body(env, start_response):
    stream = env["wsgi.input"]
    got = [stream.read(0), stream.readline(3), stream.readline(), stream.read(4), stream.read(1 << 20), stream.read(5)]
    return answer(start_response, [part.decode("latin-1") for part in got])


def lines(env, start_response):
    return answer(start_response, [line.decode("latin-1") for line in env["wsgi.input"]])


def whole(env, start_response):
    data = b"".join(iter(lambda: env["wsgi.input"].read(65536), b""))
    return answer(start_response, {"size": len(data), "sum": sum(data), "length": env.get("CONTENT_LENGTH")})


def partial(env, start_response):
    """Waits for a body that does not come."""
    EVENTS.append("reading")
    try:
        data = env["wsgi.input"].read(1000)
        EVENTS.append(f"short read of {len(data)}")
    except OSError as error:
        EVENTS.append(f"read raised {type(error).__name__}")
        raise
    return answer(start_response, b"x")


def ignore(_env, start_response):
    return answer(start_response, b"unread")


def early(_env, start_response):
    start_response("200 OK", TEXT)
    return Body("early", [b"y" * 65536] * 32)


def nothing(_env, start_response):
    start_response("200 OK", TEXT)
    return Body("nothing", [])


def blanks(_env, start_response):
    start_response("200 OK", TEXT)
    return Body("blanks", [b"", b""])


def late_head(_env, start_response):
    """The head is not sent before the first byte of the body: it may still be replaced."""
    start_response("200 OK", TEXT)

    def chunks():
        yield b""
        try:
            raise KeyError("found late")
        except KeyError:
            start_response("503 Later", TEXT, sys.exc_info())
        yield b"replaced"

    return chunks()


def twice(_env, start_response):
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return [b"x"]


def never(_env, _start_response):
    return [b"x"]


def after_head(_env, start_response):
    start_response("200 OK", TEXT)

    def chunks():
        yield b"half"
        try:
            raise KeyError("too late")
        except KeyError:
            start_response("500 Sorry", TEXT, sys.exc_info())
        yield b"never"

    return chunks()


def status(env, start_response):
    start_response(env["QUERY_STRING"].replace("%20", " ").replace("%0D%0A", "\r\n"), TEXT)
    return [b"x"]


HEADERS = {"space": [("X Bad", "a")], "colon": [("X:Bad", "a")], "crlf": [("X-A", "a\r\nX-B: b")], "nul": [("X-A", "a\0")],
           "wide": [("X-A", "\u20ac")], "tuple": (("X-A", "b"),), "bytes": [(b"X-A", b"b")], "three": [("a", "b", "c")],
           "chunked": [("Transfer-Encoding", "chunked")], "connection": [("Connection", "close")],
           "negative": [("Content-Length", "-1")], "word": [("Content-Length", "many")]}


def bad_header(env, start_response):
    start_response("200 OK", HEADERS[env["QUERY_STRING"]])
    return [b"x"]


def good_headers(_env, start_response):
    return answer(start_response, b"x", TEXT + [
        ("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Digest"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Location", "/elsewhere"), ("X-Accel-Redirect", "/etc/passwd"),
        ("X-Sendfile", "/etc/passwd"), ("X-Latin", "caf\xe9")])


def write(_env, start_response):
    start_response("200 OK", TEXT)(b"written ")
    return [b"returned"]


def write_text(_env, start_response):
    start_response("200 OK", TEXT)("text")
    return []


KEPT = []


def write_later(_env, start_response):
    KEPT.append(start_response("200 OK", TEXT))
    return [b"x"]


def use_kept(_env, start_response):
    try:
        KEPT.pop()(b"into another response")
    except Exception as error:
        return answer(start_response, type(error).__name__)
    return answer(start_response, "nothing was raised")


RESULTS = {"none": None, "str": "text", "bytes": b"bytes", "number": 7, "strs": ["text"]}


def result(env, start_response):
    start_response("200 OK", TEXT)
    return RESULTS[env["QUERY_STRING"]]


def length(env, start_response):
    promised, given = env["QUERY_STRING"].split(",")
    start_response("200 OK", TEXT + [("Content-Length", promised)])
    return Body("length", [b"z" * int(given)])


def fails(env, start_response):
    start_response("200 OK", TEXT)
    return Body("fails", [b"one", b"two"], fail_at=int(env["QUERY_STRING"]))


def bodiless(env, start_response):
    start_response(env["QUERY_STRING"] + " None", [])
    return Body("bodiless", [b"no such thing"])


def bad_close(_env, start_response):
    class Bad(Body):
        def close(self):
            EVENTS.append("closed bad_close")
            raise RuntimeError("close fails")
    start_response("200 OK", TEXT)
    return Bad("bad_close", [b"fine"])


def ticks(_env, start_response):
    start_response("200 OK", TEXT)

    class Ticks(Body):
        def __next__(self):
            time.sleep(0.05)
            return b"%d\n" % time.monotonic_ns()
    return Ticks("ticks", [])


class Noted:
    """A file, or anything with read(), whose close() is an event."""

    def __init__(self, name, read):
        self.name, self.read = name, read

    def close(self):
        EVENTS.append(f"closed {self.name}")


class NotedFile(io.FileIO):
    def close(self):
        if not self.closed:
            EVENTS.append("closed " + self.noted)
        super().close()


def file(env, start_response):
    kind = env["QUERY_STRING"]
    headers = {"short": [("Content-Length", "5")], "shrunk": [("Content-Length", "100")]}.get(kind, [])
    handle = {"text": lambda: io.StringIO("text"), "shrunk": lambda: io.BytesIO(b"little"),
              "reader": lambda: Noted(kind, io.BytesIO(b"\0read").read)}.get(kind, lambda: NotedFile(__file__))()
    handle.noted = kind
    if kind == "offset":
        handle.seek(10)
    start_response("200 OK", TEXT + headers)
    return env["wsgi.file_wrapper"](handle)


def single_bytes(_env, start_response):
    start_response("200 OK", TEXT)
    return Body("bytes", [b"b"] * 5000)


def raises(env, _start_response):
    raise {"exit": SystemExit, "interrupt": KeyboardInterrupt, "base": BaseException, "error": RuntimeError}[
        env["QUERY_STRING"]]("of the app")


def errors(env, start_response):
    env["wsgi.errors"].write("first line\nacme/other: a forged line\n")
    env["wsgi.errors"].flush()
    print("to stdout")
    return answer(start_response, b"x")


def children(_env, start_response):
    done = subprocess.run(["/bin/sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status"], stdout=subprocess.PIPE)
    return answer(start_response, [subprocess.run(["/bin/true"]).returncode,
                                   [int(line.split()[1], 16) & 0x7fffffff for line in done.stdout.splitlines()]])


def fork(_env, start_response):
    pid = os.fork()
    if pid == 0:
        return answer(start_response, b"the child answers")
    return answer(start_response, {"parent": os.getpid(), "status": os.waitpid(pid, 0)[1]})


MEETING = threading.Barrier(2)


def meet(_env, start_response):
    """Answers only when two requests are here at the same time."""
    MEETING.wait(20)
    return answer(start_response, threading.get_ident())


def process(_env, start_response):
    names = ("HOME", "USER", "LOGNAME", "PATH", "LANG")
    umask = os.umask(0)
    os.umask(umask)
    return answer(start_response, {
        "environment": {name: os.environ.get(name) for name in names}, "foreign": sorted(
            name for name in os.environ if name.startswith(("ROWHOUSE", "LISTEN", "NOTIFY"))),
        "cwd": os.getcwd(), "umask": umask, "argv": sys.argv, "encoding": sys.getfilesystemencoding(),
        "stdin": divmod(os.fstat(0).st_rdev, 256), "pid": os.getpid(), "isolated": sys.flags.isolated})


def application(env, start_response):
    name = env["PATH_INFO"].split("/")[1] if env["PATH_INFO"] != "" else "environ"
    return globals()["single_bytes" if name == "bytes" else name if name in PATHS else "environ"](env, start_response)


PATHS = {"kinds", "events", "body", "lines", "whole", "partial", "ignore", "early", "nothing", "blanks", "late_head",
         "twice", "never", "after_head", "status", "bad_header", "good_headers", "write", "write_text", "write_later",
         "use_kept", "result", "length", "fails", "bodiless", "bad_close", "ticks", "file", "raises", "errors", "children",
         "fork", "meet", "process"}
validated = validator(application)
