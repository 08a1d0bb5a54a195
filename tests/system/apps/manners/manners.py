"""The app of test_wsgi_processes.py: what an app does to its own process.  `application` as it is, `validated` under
wsgiref.validate."""
import atexit
import ctypes
import faulthandler
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from urllib.parse import parse_qs
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
EVENTS = []
HERE = os.path.dirname(os.path.abspath(__file__))
IMPORTED_BY_MAIN = threading.current_thread() is threading.main_thread()


def note(number, _frame):
    EVENTS.append(signal.Signals(number).name)


signal.signal(signal.SIGUSR1, note)
signal.signal(signal.SIGALRM, note)


def answer(start_response, value):
    start_response("200 OK", TEXT)
    return [value if isinstance(value, bytes) else json.dumps(value, default=repr).encode()]


def events(_query, _env, start_response):
    taken, EVENTS[:] = list(EVENTS), []
    return answer(start_response, taken)


def whole(_query, env, start_response):
    data = b"".join(iter(lambda: env["wsgi.input"].read(65536), b""))
    return answer(start_response, {"size": len(data), "sum": sum(data)})


# --- deaths -----------------------------------------------------------------------------------------------
def count_run(query):
    """A line for each time that this request was run, in a file that outlives the process."""
    with open(os.path.join(HERE, "runs-" + query["mark"]), "a", encoding="ascii") as file:
        file.write("run\n")


def killed_before_head(query, _env, start_response):
    count_run(query)
    os.kill(os.getpid(), signal.SIGKILL)
    return answer(start_response, b"never")


def killed_in_body(query, _env, start_response):
    count_run(query)
    start_response("200 OK", TEXT)

    def chunks():
        yield b"first"
        while not os.path.exists(os.path.join(HERE, "seen-" + query["mark"])):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
        yield b"never"
    return chunks()


def overflow_stack():
    sys.setrecursionlimit(1 << 30)

    def deeper():
        return max([0], key=lambda _: deeper())
    deeper()


def use_up_memory():
    held = []
    while True:
        held.append(b"x" * (4 << 20))


DEATHS = {"exit": lambda: os._exit(3), "segfault": lambda: ctypes.string_at(0), "abort": os.abort,
          "overflow": overflow_stack, "memory": use_up_memory}


def die(query, _env, start_response):
    DEATHS[query["how"]]()
    return answer(start_response, b"never")


# --- system calls -------------------------------------------------------------------------------------------
LIBC = ctypes.CDLL(None, use_errno=True)
NUMBERS = {"x86_64": {"rseq": 334, "statx": 332}, "aarch64": {"rseq": 293, "statx": 291}}[platform.machine()]
NUMBERS.update(clone3=435, pidfd_open=434, close_range=436, future=60_000)


def call(number, *arguments):
    """"ok", or the name of the error."""
    result = LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(each) for each in arguments])
    return "ok" if result >= 0 else os.strerror(ctypes.get_errno())


def system_calls(_query, _env, start_response):
    buffer, root = ctypes.create_string_buffer(512), ctypes.create_string_buffer(b"/")
    parent, child = os.pipe()
    os.close(parent)
    os.close(child)
    done = {name: call(NUMBERS[name], *arguments) for name, arguments in {
        "clone3": (ctypes.addressof(buffer), 88), "pidfd_open": (os.getpid(), 0), "close_range": (900_000, 900_001, 0),
        "statx": (-100, ctypes.addressof(root), 0, 0x7ff, ctypes.addressof(buffer)),
        "rseq": (0, 0, 0, 0), "future": ()}.items()}
    done["mount"] = "ok" if LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 else os.strerror(ctypes.get_errno())
    done["unshare"] = "ok" if LIBC.unshare(0x10000000) == 0 else os.strerror(ctypes.get_errno())
    done["getrandom"] = len(os.getrandom(8))
    descriptor = os.memfd_create("probe")
    done["memfd_create"] = os.write(descriptor, b"four")
    os.close(descriptor)
    return answer(start_response, done)


def children(_query, _env, start_response):
    """Every way to start a child that Python has."""
    spawned = os.posix_spawn("/bin/true", ["/bin/true"], os.environ)
    thread_saw = []
    thread = threading.Thread(target=lambda: thread_saw.append(subprocess.run(["/bin/true"]).returncode))
    thread.start()
    thread.join()
    return answer(start_response, {
        "run": subprocess.run(["/bin/true"]).returncode, "shell": subprocess.run("exit 7", shell=True).returncode,
        "session": subprocess.run(["/bin/true"], start_new_session=True).returncode,
        "before": subprocess.run(["/bin/true"], preexec_fn=lambda: None).returncode,
        "output": subprocess.check_output(["/bin/echo", "said"]).decode(), "thread": thread_saw,
        "spawn": os.waitpid(spawned, 0)[1], "system": os.system("exit 0")})


# --- signals --------------------------------------------------------------------------------------------------
def alarm(_query, _env, start_response):
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    return answer(start_response, b"set")


def dump(_query, _env, start_response):
    with open(os.path.join(HERE, "dump"), "w+", encoding="utf-8") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return answer(start_response, {"text": file.read(), "enabled": faulthandler.is_enabled()})


def main_thread(_query, _env, start_response):
    main = threading.main_thread()
    return answer(start_response, {"imported": IMPORTED_BY_MAIN, "alive": main.is_alive(), "native": main.native_id,
                                   "pid": os.getpid()})


# --- the end --------------------------------------------------------------------------------------------------
if os.environ.get("MANNERS") == "tidy":
    threading.Thread(target=lambda: (threading.main_thread().join(), print("a thread was joined")), name="tidy").start()
    threading.Thread(target=lambda: time.sleep(3600), daemon=True).start()
    atexit.register(lambda: print("exit functions ran"))
if os.environ.get("MANNERS") == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=lambda: time.sleep(3600), name="stubborn").start()
    atexit.register(lambda: time.sleep(3600))


def application(env, start_response):
    query = {key: values[0] for key, values in parse_qs(env["QUERY_STRING"]).items()}
    return PATHS[env["PATH_INFO"].lstrip("/")](query, env, start_response)


PATHS = {each.__name__: each for each in (events, whole, killed_before_head, killed_in_body, die, system_calls, children,
                                          alarm, dump, main_thread)}
validated = validator(application)
