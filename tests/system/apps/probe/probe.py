"""The app of most system tests: each path does one thing that a test wants to see from inside a worker."""
import errno
import hashlib
import json
import os
import signal
import sys
import time
from urllib.parse import parse_qs

STARTED_NS = time.monotonic_ns()


def text(start_response, body, status="200 OK"):
    data = body if isinstance(body, bytes) else body.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def answer_json(start_response, value):
    return text(start_response, json.dumps(value))


def numbered_body(identity, size):
    """`size` bytes that belong to one request alone."""
    line = f"{identity}\n".encode()
    return (line * (size // len(line) + 1))[:size]


def echo(query, _environ, start_response):
    """The id of the request, as often as asked for: sized, or streamed in pieces without a length.  Makes the
    file `mark` when it has begun."""
    if "mark" in query:
        with open(query["mark"], "wb"):
            pass
    body = numbered_body(query["id"], int(query.get("size", "64")))
    time.sleep(int(query.get("ms", "0")) / 1000)
    if query.get("mode") != "stream":
        return text(start_response, body)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (body[at:at + 10_000] for at in range(0, len(body), 10_000))


def who(_query, _environ, start_response):
    """Who this process is, as the kernel tells it."""
    with open("/proc/self/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return answer_json(start_response, {
        "pid": os.getpid(), "ids": [*os.getresuid(), *os.getresgid()], "groups": os.getgroups(),
        "status": status, "cwd": os.getcwd(), "path": sys.path, "started_ns": STARTED_NS,
        "threads": len(os.listdir("/proc/self/task")), "version": list(sys.version_info[:2])})


def attempt(action):
    """What the kernel says to it: "ok" or the name of the error."""
    try:
        return f"ok {action()}"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def read(query, _environ, start_response):
    """Reads a file, or lists a directory."""
    path = query["path"]

    def action():
        if os.path.isdir(path):
            return sorted(os.listdir(path))
        with open(path, "rb") as file:
            return file.read(4096)

    return text(start_response, attempt(action))


def write(query, _environ, start_response):
    def action():
        with open(query["path"], "wb") as file:
            return file.write(query.get("text", "x").encode())

    return text(start_response, attempt(action))


def kill(query, _environ, start_response):
    return text(start_response, attempt(lambda: os.kill(int(query["pid"]), int(query.get("signal", "0")))))


def processes(_query, _environ, start_response):
    """Every pid that /proc shows here, with its command."""
    seen = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                seen[name] = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            pass
    return answer_json(start_response, seen)


def environment(_query, environ, start_response):
    """The WSGI environ and the process's environment, what JSON can carry of them."""
    return answer_json(start_response, {
        "wsgi": {key: value for key, value in environ.items() if isinstance(value, (str, bool, list, tuple))},
        "process": dict(os.environ)})


def upload(_query, environ, start_response):
    """Counts and hashes the body in small reads."""
    digest, size = hashlib.sha256(), 0
    while chunk := environ["wsgi.input"].read(65536):
        digest.update(chunk)
        size += len(chunk)
    return answer_json(start_response, {"bytes": size, "sha256": digest.hexdigest()})


def leave(query, _environ, _start_response):
    """Ends the process in the middle of the request."""
    if "signal" in query:
        signal.raise_signal(getattr(signal, query["signal"]))  # to this thread: it goes no further
    os._exit(int(query.get("status", "0")))


def say(query, _environ, start_response):
    """A line on stdout, one on stderr and one through wsgi.errors."""
    print("stdout " + query["text"], flush=True)
    print("stderr " + query["text"], file=sys.stderr, flush=True)
    _environ["wsgi.errors"].write("errors " + query["text"] + "\n")
    _environ["wsgi.errors"].flush()
    return text(start_response, "said")


def fail(_query, _environ, _start_response):
    raise RuntimeError("the probe was told to fail")


def cut(_query, _environ, start_response):
    """Promises 1,000 bytes and fails after 10."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1000")])

    def body():
        yield b"x" * 10
        raise RuntimeError("the probe was told to fail in its body")

    return body()


def hello(_query, _environ, start_response):
    return text(start_response, "hello")


def generation(_query, _environ, start_response):
    """The content of a file beside this one: what a restart shall pick up."""
    return text(start_response, MARK)


def health(_query, _environ, start_response):
    """The status that a file in the working directory says, else 200."""
    try:
        with open("health", encoding="ascii") as file:
            status = file.read().strip()
    except OSError:
        status = "200 OK"
    return text(start_response, "health", status)


KEPT = []


def grow(query, _environ, start_response):
    """Keeps so many bytes more for the life of the process."""
    KEPT.append(b"x" * int(query["bytes"]))
    return text(start_response, str(sum(map(len, KEPT))))


def read_mark():
    try:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "mark.txt"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return "none"


MARK = read_mark()
PATHS = {f"/{function.__name__}": function for function in (
    echo, who, read, write, kill, processes, environment, upload, leave, say, fail, cut, hello, generation,
    health, grow)}


def application(environ, start_response):
    function = PATHS.get(environ["PATH_INFO"])
    if function is None:
        return text(start_response, "no such probe", "404 Not Found")
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    return function(query, environ, start_response)
