"""The app of the preload tests: what one import leaves to the workers that are forked from it.

What it does while it is imported stands in the file `import-wish` beside it, where a test has laid one out."""
import atexit
import concurrent.futures
import gc
import json
import logging
import os
import pathlib
import random
import ssl
import sys
import tempfile
import threading
import time
import uuid
from urllib.parse import parse_qs

import probe  # which answers everything that is not here

HERE = pathlib.Path(__file__).resolve().parent
IMPORTED_BY = os.getpid()
HOOKS = []
OWN = random.Random(7)  # of the app's own seed: the same in all workers, which the manual says
STREAM = logging.StreamHandler(sys.stderr)  # as a logging configuration makes it, once, at import
logging.getLogger("preloaded").addHandler(STREAM)

with open(HERE / "imports", "a", encoding="ascii") as file:
    file.write(f"{os.getpid()}\n")

os.register_at_fork(before=lambda: HOOKS.append(["before", os.getpid()]),
                    after_in_parent=lambda: HOOKS.append(["parent", os.getpid()]),
                    after_in_child=lambda: HOOKS.append(["child", os.getpid()]))


@atexit.register
def leave_a_mark():
    with open(HERE / "exits", "a", encoding="ascii") as marks:
        marks.write(f"{os.getpid()}\n")


def wish():
    try:
        return (HERE / "import-wish").read_text(encoding="ascii")
    except FileNotFoundError:
        return ""


if wish() == "slow":
    time.sleep(2)
if wish() == "fail":
    raise RuntimeError("the preloaded app was told to fail")
if wish() == "ended-threads":
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(str, range(100)))
if wish() == "threads":
    threading.Thread(target=time.sleep, args=(3600,), name="of-the-app", daemon=True).start()
if wish() == "ballast":
    BALLAST = [str(number) * 8 for number in range(400_000)]


def proportional_kib():
    """Memory of this process, what it shares counted by its share."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def facts():
    with open("/proc/self/cgroup", encoding="ascii") as groups:
        leaves = sorted({line.rstrip("\n").rpartition("/")[2] for line in groups})
    with open("/proc/self/cmdline", "rb") as command:
        words = command.read().rstrip(b"\0").decode().split("\0")
    return {
        "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0), "imported_by": IMPORTED_BY,
        "hooks": HOOKS, "random": random.random(), "uuid4": str(uuid.uuid4()), "uuid1": str(uuid.uuid1()),
        "tls": ssl.RAND_bytes(8).hex(), "own": hash(OWN.getstate()), "temporary": next(tempfile._get_candidate_names()),
        "hash": hash("preload"), "frozen": gc.get_freeze_count(), "leaves": leaves, "command": words,
        "threads": len(os.listdir("/proc/self/task")), "pss_kib": proportional_kib(),
        "descriptors": sorted(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0]
                              for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))}


def say(text):
    print("printed " + text)
    logging.getLogger("preloaded").warning("logged %s", text)


def application(environ, start_response):
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    if environ["PATH_INFO"] == "/facts":
        time.sleep(float(query.get("s", "0")))
        body = json.dumps(facts()).encode()
    elif environ["PATH_INFO"] == "/say":
        say(query["text"])
        body = str(os.getpid()).encode()
    elif environ["PATH_INFO"] == "/leave":
        if "signal" in query:
            os.kill(os.getpid(), int(query["signal"]))
            time.sleep(60)
        os._exit(int(query["status"]))
    elif environ["PATH_INFO"] == "/child":
        body = os.popen("echo of a child").read().encode()
    else:
        return probe.application(environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
