"""T-KEEP: what ordinary programs do and must go on doing.  Each raises when something does not work."""
import asyncio
import concurrent.futures
import ctypes
import fcntl
import locale
import mmap
import multiprocessing
import multiprocessing.shared_memory
import os
import pwd
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time

from registry import works

FORK = multiprocessing.get_context("fork")
DAEMON_S = 5


def wait_for(predicate, seconds=DAEMON_S):
    deadline = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def square(number):
    return number * number


@works("T-KEEP-01")
def threads_run_and_share(_context):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(square, range(100))) == 328350
    local, seen = threading.local(), []
    thread = threading.Thread(target=lambda: (setattr(local, "x", 1), seen.append(local.x)))
    thread.start()
    thread.join()
    assert seen == [1] and not hasattr(local, "x")


@works("T-KEEP-02")
def subprocesses_and_pipes_work(_context):
    done = subprocess.run(["/bin/sh", "-c", "cat | tr a-z A-Z; exit 3"], input="row\n", capture_output=True, text=True,
                          check=False)
    assert (done.stdout, done.returncode) == ("ROW\n", 3), done
    chain = subprocess.run("echo house | grep -c ouse > /dev/null && ls /usr/bin | sort | head -1", shell=True,
                           capture_output=True, text=True, check=True)
    assert chain.stdout.strip(), chain
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        sleeper.send_signal(signal.SIGTERM)
        assert sleeper.wait(5) == -signal.SIGTERM


@works("T-KEEP-03")
def a_pool_of_processes_works(_context):
    with FORK.Pool(2) as pool:
        assert pool.map(square, range(10)) == [n * n for n in range(10)]


def put_into(queue):
    queue.put({"pid": os.getpid()})


@works("T-KEEP-04")
def a_queue_between_processes_works(_context):
    queue = FORK.Queue()
    process = FORK.Process(target=put_into, args=(queue,))
    process.start()
    assert queue.get(timeout=5) == {"pid": process.pid}
    process.join(5)
    assert process.exitcode == 0


def fill(name):
    memory = multiprocessing.shared_memory.SharedMemory(name=name)
    memory.buf[:5] = b"house"
    memory.close()


@works("T-KEEP-05")
def shared_memory_between_processes_works(_context):
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    try:
        process = FORK.Process(target=fill, args=(memory.name,))
        process.start()
        process.join(5)
        assert bytes(memory.buf[:5]) == b"house"
        with FORK.Lock(), FORK.Semaphore(2):
            pass
    finally:
        memory.close()
        memory.unlink()


@works("T-KEEP-06")
def sqlite_in_wal_mode_works(context):
    path = os.path.join(context["home"], f"wal-{os.getpid()}.db")
    try:
        with sqlite3.connect(path) as writer:
            assert writer.execute("pragma journal_mode=wal").fetchone() == ("wal",)
            writer.execute("create table row (house text)")
            writer.execute("insert into row values ('x')")
        reader = sqlite3.connect(path)
        assert reader.execute("select house from row").fetchall() == [("x",)]
        reader.close()
        writer.close()
    finally:
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)


@works("T-KEEP-07")
def temporary_files_and_locks_work(_context):
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as unnamed:
        unnamed.write(b"x")
        path = os.path.join(directory, "lock")
        with open(path, "w", encoding="ascii") as first, open(path, encoding="ascii") as second:
            fcntl.flock(first, fcntl.LOCK_EX)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
                raise AssertionError("locked twice")
            except BlockingIOError:
                pass
            fcntl.lockf(first, fcntl.LOCK_EX)


@works("T-KEEP-08")
def mapped_files_work(context):
    with tempfile.NamedTemporaryFile(dir=context["home"]) as file:
        file.write(b"\0" * 8192)
        file.flush()
        with mmap.mmap(file.fileno(), 8192) as mapped:
            mapped[4096:4101] = b"house"
            mapped.flush()
        assert os.pread(file.fileno(), 5, 4096) == b"house"


@works("T-KEEP-09")
def memory_files_with_seals_work(_context):
    memory = os.memfd_create("row", os.MFD_ALLOW_SEALING)
    os.write(memory, b"house")
    fcntl.fcntl(memory, 1033, 0x8)  # F_ADD_SEALS, F_SEAL_WRITE
    try:
        os.pwrite(memory, b"x", 0)
        raise AssertionError("a sealed file was written")
    except PermissionError:
        os.close(memory)


@works("T-KEEP-10")
def sendfile_and_copying_ranges_work(context):
    with tempfile.TemporaryFile(dir=context["home"]) as source, tempfile.TemporaryFile(dir=context["home"]) as copy:
        source.write(b"house" * 1000)
        source.flush()
        left, right = socket.socketpair()
        with left, right:
            assert os.sendfile(left.fileno(), source.fileno(), 0, 5000) == 5000
            assert right.recv(5, socket.MSG_WAITALL) == b"house"
        assert os.copy_file_range(source.fileno(), copy.fileno(), 5000, 0, 0) == 5000


async def shout():
    process = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=asyncio.subprocess.PIPE,
                                                   stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(b"house"), 5)
    return out, process.returncode


@works("T-KEEP-11")
def asyncio_and_its_subprocesses_work(_context):
    assert asyncio.run(shout()) == (b"HOUSE", 0)


@works("T-KEEP-12")
def signals_and_timers_work(_context):
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    wait_for(lambda: len(seen) == 2)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    os.kill(os.getpid(), signal.SIGUSR2)
    assert signal.sigtimedwait([signal.SIGUSR2], 5).si_signo == signal.SIGUSR2


@works("T-KEEP-13")
def ctypes_closures_and_executable_memory_work(_context):
    compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    values = (ctypes.c_int * 5)(5, 1, 4, 2, 3)
    ctypes.CDLL(None).qsort(values, 5, ctypes.sizeof(ctypes.c_int), compare(lambda a, b: a[0] - b[0]))
    assert list(values) == [1, 2, 3, 4, 5]
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xc3")
    ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))


@works("T-KEEP-14")
def names_can_be_looked_up(_context):
    addresses = {entry[4][0] for entry in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)}
    assert addresses & {"127.0.0.1", "::1"}, addresses
    assert socket.getservbyname("https") == 443
    assert socket.gethostbyname(socket.gethostname()).startswith("127.")


@works("T-KEEP-15")
def a_tls_context_knows_the_hosts_authorities(_context):
    context = ssl.create_default_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    paths = ssl.get_default_verify_paths()
    assert os.path.isdir(paths.capath or paths.openssl_capath)


@works("T-KEEP-16")
def randomness_locale_and_processors_are_there(_context):
    assert len(os.urandom(64)) == 64 and len(os.getrandom(64)) == 64
    with open("/dev/urandom", "rb") as file:
        assert len(file.read(64)) == 64
    with open("/dev/null", "wb") as file:
        file.write(b"x")
    assert locale.setlocale(locale.LC_ALL, "C.UTF-8") == "C.UTF-8"
    assert os.cpu_count() >= 1 and os.sched_getaffinity(0)
    assert time.localtime() and os.uname().sysname == "Linux"


@works("T-KEEP-17")
def descriptors_travel_between_own_processes(_context):
    left, right = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        reader, writer = os.pipe()
        socket.send_fds(right, [b"x"], [reader])
        os.write(writer, b"house")
        os._exit(0)
    _, descriptors, _, _ = socket.recv_fds(left, 1, 1)
    assert os.read(descriptors[0], 5) == b"house"
    os.waitpid(pid, 0)


@works("T-KEEP-18")
def a_daemon_with_two_forks_is_reaped(context):
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.setsid()
        daemon = os.fork()
        if daemon == 0:
            os.write(writer, b"%d" % os.getpid())
            os._exit(0)
        os._exit(0)
    os.waitpid(middle, 0)
    daemon = int(os.read(reader, 20))
    if not context.get("bare"):  # outside, whoever started the control run is no init
        wait_for(lambda: not os.path.exists(f"/proc/{daemon}"))


@works("T-KEEP-19")
def unix_sockets_in_tmp_and_abstract_ones_work_inside(_context):
    for name in (f"/tmp/row-{os.getpid()}", f"\0row-{os.getpid()}"):
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
            listener.bind(name)
            listener.listen()
            client.connect(name)
            with listener.accept()[0] as peer:
                peer.sendall(b"house")
                assert client.recv(5) == b"house"
        if name[0] == "/":
            os.unlink(name)


@works("T-KEEP-20")
def a_server_on_the_loopback_works(_context):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), 5) as client, listener.accept()[0] as peer:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(b"house")
            assert peer.recv(5) == b"house"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first, socket.socket(socket.AF_INET,
                                                                                  socket.SOCK_DGRAM) as second:
        second.bind(("127.0.0.1", 0))
        first.sendto(b"house", second.getsockname())
        assert second.recv(5) == b"house"


@works("T-KEEP-21")
def a_program_of_the_home_can_be_run(context):
    path = os.path.join(context["home"], f"script-{os.getpid()}")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho house\n")
    os.chmod(path, 0o755)
    try:
        assert subprocess.run([path], capture_output=True, check=True).stdout == b"house\n"
    finally:
        os.unlink(path)


@works("T-KEEP-22")
def own_children_are_signalled_and_waited_for(_context):
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    pidfd = os.pidfd_open(pid)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert os.waitid(os.P_PIDFD, pidfd, os.WEXITED).si_status == signal.SIGKILL
    os.close(pidfd)


@works("T-KEEP-23")
def a_user_can_be_looked_up(context):
    if context.get("bare"):  # the tests' uids are in no table of the host's
        return f"{len(pwd.getpwall())} users"
    assert pwd.getpwuid(os.getuid()).pw_dir == os.path.expanduser("~") == context["home"]
    return "1 user"


@works("T-KEEP-24")
def renaming_linking_and_watching_files_works(context):
    with tempfile.TemporaryDirectory(dir=context["home"]) as directory:
        first = os.path.join(directory, "first")
        with open(first, "wb"):
            pass
        os.makedirs(os.path.join(directory, "deep", "er"))
        os.link(first, os.path.join(directory, "second"))
        os.symlink("first", os.path.join(directory, "third"))
        os.rename(first, os.path.join(directory, "deep", "er", "first"))
        os.setxattr(os.path.join(directory, "second"), "user.row", b"house")
        watch = ctypes.CDLL(None).inotify_init1(0)
        assert ctypes.CDLL(None).inotify_add_watch(watch, directory.encode(), 0x100) > 0
        os.mkfifo(os.path.join(directory, "fifo"))
        assert os.read(watch, 4096)
        os.close(watch)
