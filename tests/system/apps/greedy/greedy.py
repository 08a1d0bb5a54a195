"""An app that takes all it can get: each path is one way to use up a limit or to outlive a stop."""
import json
import os
import signal
import subprocess
import threading
import time
from urllib.parse import parse_qs

KEPT = []


def hold(query):
    """Takes this many bytes and keeps them."""
    size = int(query["bytes"])
    block = bytearray(size)
    block[::4096] = b"x" * len(block[::4096])
    KEPT.append(block)
    return size


def drop(_query):
    KEPT.clear()
    return 0


def fork(query):
    """Makes as many sleeping children as it may, up to `count`; how many it got, and the error that ended it."""
    made, error = 0, None
    for _ in range(int(query["count"])):
        try:
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    time.sleep(3600)
        except OSError as refused:
            error = refused.errno
            break
        made += 1
    return {"made": made, "errno": error}


def fork_and_leave(query):
    """What many a program does that cannot fork: gives up."""
    if fork(query)["errno"]:
        os._exit(11)
    return 0


def burn(query):
    """Busy for `ms` of wall time; how much processor time that was."""
    end, used = time.monotonic() + int(query["ms"]) / 1000, time.process_time()
    while time.monotonic() < end:
        pass
    return time.process_time() - used


def bomb(_query):
    """A fork bomb that never ends by itself and ignores SIGTERM; the worker takes part in it."""
    def explode():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            try:
                os.fork()
            except OSError:
                pass

    if os.fork() == 0:
        explode()
    return os.getpid()


def daemon(query):
    """A double-forked daemon in a session of its own that ignores SIGTERM; it writes its mark when it runs."""
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if os.fork() == 0:
            with open(query["mark"], "w", encoding="ascii") as file:
                file.write("daemon")
            while True:
                time.sleep(3600)
        os._exit(0)
    return os.getpid()


def run(query):
    """Starts a Python script of the app in the background."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), query["script"])
    return subprocess.Popen(["/usr/bin/python3", path, query["argument"]]).pid


def stop_all(_query):
    """Stops every process of its own, itself last and a moment later, so that the answer is out."""
    if os.fork() == 0:
        while True:
            time.sleep(3600)

    def stop():
        time.sleep(0.2)
        os.kill(-1, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)

    threading.Thread(target=stop, daemon=True).start()
    return os.getpid()


def write(query):
    """Writes this many bytes past the page cache into the home; how long that took."""
    size, began = int(query["bytes"]), time.monotonic()
    file = os.open(os.path.join(os.environ["HOME"], "written"), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for _ in range(size // 65536):
        os.write(file, b"w" * 65536)
    os.fsync(file)
    os.close(file)
    return time.monotonic() - began


def hello(_query):
    return "hello"


PATHS = {f"/{function.__name__}": function
         for function in (hold, drop, fork, fork_and_leave, burn, bomb, daemon, run, stop_all, write, hello)}


def application(environ, start_response):
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    body = json.dumps(PATHS[environ["PATH_INFO"]](query)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
