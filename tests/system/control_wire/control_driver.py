"""The real rowhouse-control, driven over its real control socket: the test plays the supervisor."""
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from rowhouse_host import BUILD

CONTROL_UID, ACME_UID, GLOBEX_UID, STRANGER_UID = 61991, 61992, 61993, 61994  # between the pools of the others
PATIENCE_S = 10

# proto/message_types.h
PING, PONG = 1, 2
SETUP, READY, ADMIN, TENANT, PROBLEM, LOG_SOURCE, ACCESS_SOURCE, DEATH = 112, 113, 114, 115, 116, 117, 118, 119
DEATH_STORED, HOST_DEATH = 143, 144
APP_TRAFFIC, USAGE_DIRECTORY = 149, 150
QUERY, APP_INFO, WORKER_INFO, QUERY_END, COMMAND, COMMAND_DONE, NOTICE = 120, 121, 122, 123, 124, 125, 126
# proto/causes.h
EXIT, SIGNAL, SECCOMP, IMPORT, CONFIG, SPAWN = 1, 2, 4, 5, 12, 15
# proto/control_messages.h
STOPPED, RUNNING, BACKOFF = 0, 2, 6
DONE, NOT_FOUND, FAILED, BUSY, CONFLICT = range(5)
TENANT_GONE = 0xFFFFFFFF
NO_LIMITS = struct.pack("<BQQQI", 0, 0, 0, 0, 0)


def name(text):
    """A Name: u16 length, 63 bytes."""
    return struct.pack("<H63s", len(text), text.encode())


def wait_until(probe, what, patience_s=PATIENCE_S):
    end = time.monotonic() + patience_s
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"not within {patience_s} s: {what() if callable(what) else what}"
        time.sleep(0.02)


class App:
    """What the supervisor knows about one app."""

    def __init__(self, number, tenant, app, **known):
        self.number, self.tenant, self.app = number, tenant, app
        self.state, self.generation, self.restarts = RUNNING, 1, 0
        self.exit = (0, 0, 0, 0, 0)  # cause, argument, at_ms, generation, worker
        self.retry_in_ms = self.missing = 0
        self.workers = []  # (generation, worker, pid, state, requests, memory)
        self.traffic = None  # (epoch, in flight, queued, [53 counts])
        self.__dict__.update(known)

    def info(self, request):
        cause, argument, at_ms, generation, worker = self.exit
        return (struct.pack("<II", request, self.number) + name(self.tenant) + name(self.app)
                + struct.pack("<BIQIIHiqIIII", self.state, self.generation, self.restarts, 1, 2, cause, argument,
                              at_ms, generation, worker, self.retry_in_ms, self.missing) + NO_LIMITS)

    def worker_infos(self, request):
        for generation, worker, pid, state, requests, memory in self.workers:
            yield struct.pack("<IIIIIBQQ?", request, self.number, generation, worker, pid, state, requests, memory, False)


def access_record(app, **fields):
    """proto/access_record.h"""
    known = {"status": 200, "cause": 0, "aborted": 0, "at_ms": 1_700_000_000_123, "bytes_in": 3, "bytes_out": 512,
             "gateway_us": 50, "queue_us": 200, "app_us": 11900, "total_us": 12300, "cpu_us": 9000, "gil_wait_us": 2**32 - 1, "error_id": 0, "dropped": 0,
             "version": 11, "format": 0, "method": b"GET", "target": b"/a?b=c", "host": b"acme.example", "remote": b"192.0.2.1",
             "referer": b"", "agent": b"curl/8", "request_id": b"r1", **fields}
    numbers = struct.pack("<HIHHBqQQIIIIIIQQBB", 3, app, known["status"], known["cause"], known["aborted"],
                          known["at_ms"], known["bytes_in"], known["bytes_out"], known["gateway_us"],
                          known["queue_us"], known["app_us"], known["total_us"], known["cpu_us"], known["gil_wait_us"], known["error_id"], known["dropped"],
                          known["version"], known["format"])
    names = ("method", "target", "host", "remote", "referer", "agent", "request_id")
    return numbers + b"".join(struct.pack("<H", len(known[n])) + known[n] for n in names)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Client(http.client.HTTPConnection):
    """HTTP on the UNIX socket, as any uid: the socket is made by a child that has become that uid."""

    def __init__(self, path, uid=0, timeout=PATIENCE_S):
        super().__init__("rowhouse", timeout=timeout)
        self.sock = connect_as(path, uid)
        self.sock.settimeout(timeout)

    def ask(self, method, target, body=None):
        self.request(method, target, body)
        response = self.getresponse()
        return Answer(response.status, response.headers, response.read())


def connect_as(path, uid):
    """A socket whose SO_PEERCRED says `uid`: connected by a child, handed back over a socketpair."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            made.connect(str(path))
            socket.send_fds(theirs, [b"x"], [made.fileno()])
        finally:
            os._exit(0)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    ours.close()
    os.waitpid(child, 0)
    assert fds, f"uid {uid} could not connect"
    return socket.socket(fileno=fds[0])


class Control:
    """One rowhouse-control with its supervisor."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rowhouse-control-test-"))
        self.directory.chmod(0o755)
        self.socket_path = self.directory / "control.sock"
        self.logs = self.directory / "logs"
        self.usage = self.directory / "usage"
        for own in (self.logs, self.usage):
            own.mkdir(mode=0o700)
            os.chown(own, CONTROL_UID, CONTROL_UID)
        self.apps = []
        self.commands = []          # (app number, kind) as they came
        self.on_command = lambda app, kind: (DONE, 2, 0, 0, 0)  # outcome, generation, worker, cause, argument
        self.silent = False         # answers no query
        self.told = []              # who there is: calls of ours
        self.pongs = []
        self.stored = []            # (app number, generation, worker, at_ms) as they were acknowledged
        self.ended, self.exit_status = False, None
        self.ready = threading.Event()
        self.lock = threading.Lock()
        self.log = open(self.directory / "stderr", "w+", encoding="utf-8")
        self._start()

    def _start(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.socket_path))
        self.socket_path.chmod(0o666)
        listener.listen(128)
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def move():
            os.dup2(theirs.fileno(), 3)
            os.set_inheritable(3, True)

        # Every descriptor of ours is close-on-exec; the one that is moved is not.
        self.process = subprocess.Popen([BUILD / "rowhouse-control"], preexec_fn=move, close_fds=False,
                                        user=CONTROL_UID, group=CONTROL_UID, extra_groups=[],
                                        stdin=subprocess.DEVNULL, stderr=self.log, cwd="/")
        theirs.close()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        usage_fd = os.open(self.usage, os.O_PATH | os.O_DIRECTORY)
        self.send(USAGE_DIRECTORY, b"", [usage_fd])
        os.close(usage_fd)
        logs_fd = os.open(self.logs, os.O_RDONLY | os.O_DIRECTORY)
        self.send(SETUP, b"", [listener.fileno(), logs_fd])
        os.close(logs_fd)
        listener.close()
        assert self.ready.wait(PATIENCE_S), f"control was not ready: {self.stderr}"

    @property
    def stderr(self):
        return (self.directory / "stderr").read_text(encoding="utf-8")

    # --- the supervisor's side -----------------------------------------------------------------------------------
    def send(self, kind, fields=b"", fds=()):
        with self.lock:
            socket.send_fds(self.link, [struct.pack("<HH", kind, 1) + fields], list(fds))

    def _read(self):
        while True:
            try:
                message = self.link.recv(8192)
            except OSError:
                return
            if not message:
                return
            kind, version = struct.unpack_from("<HH", message)
            assert version == 1
            self._on_message(kind, message[4:])

    def _on_message(self, kind, fields):
        if kind == READY:
            self.ready.set()
        elif kind == PONG:
            self.pongs.append(struct.unpack("<I", fields)[0])
        elif kind == DEATH_STORED:
            self.stored.append(struct.unpack("<IIIq", fields))
        elif kind == QUERY and not self.silent:
            self._on_query(fields)
        elif kind == COMMAND:
            request, app, command = struct.unpack("<IIB", fields)
            self.commands.append((app, command))
            outcome, generation, worker, cause, argument = self.on_command(app, command)
            self.send(COMMAND_DONE, struct.pack("<IBIIHi", request, outcome, generation, worker, cause, argument)
                      + NO_LIMITS)

    def _on_query(self, fields):
        request, = struct.unpack_from("<I", fields)
        tenant, app = (fields[start + 2:start + 2 + struct.unpack_from("<H", fields, start)[0]].decode()
                       for start in (4, 69))
        after, = struct.unpack_from("<I", fields, 134)
        matching = [a for a in self.apps if a.number > after and tenant in ("", a.tenant) and app in ("", a.app)]
        for known in matching[:16]:
            self.send(APP_INFO, known.info(request))
            for worker in known.worker_infos(request):
                self.send(WORKER_INFO, worker)
            if known.traffic:
                self.send_traffic(known, request, known.traffic)
        self.send(QUERY_END, struct.pack("<II", request, matching[15].number if len(matching) > 16 else 0))

    def send_traffic(self, app, request, traffic):
        epoch, in_flight, queued, counts = traffic
        self.send(APP_TRAFFIC, struct.pack("<IIQII53Q", request, app.number, epoch, in_flight, queued, *counts))

    def restart(self):
        """Another process in the place of one that was killed; it is told what the first one was told."""
        self.process.kill()
        self.process.wait()
        self.link.close()
        self.socket_path.unlink()
        self.ready = threading.Event()
        self._start()
        told, self.told = self.told, []
        for tell, arguments in told:
            tell(*arguments)
        self.settle()

    def add_admin(self, uid):
        self.told.append((self.add_admin, (uid,)))
        self.send(ADMIN, struct.pack("<I", uid))

    def add_tenant(self, tenant, uid):
        self.told.append((self.add_tenant, (tenant, uid)))
        self.send(TENANT, name(tenant) + struct.pack("<I", uid))

    def problem(self, tenant, sentences, resolved=False):
        memory = os.memfd_create("problem", os.MFD_ALLOW_SEALING)
        os.write(memory, sentences)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, 0xF)
        self.send(PROBLEM, name(tenant) + struct.pack("<B", resolved), [memory])
        os.close(memory)

    def log_pipe(self, app, generation=1, worker=1):
        """The write end of a new log pipe of a worker."""
        reading, writing = os.pipe()
        self.send(LOG_SOURCE, struct.pack("<III", app.number, generation, worker) + name(app.tenant) + name(app.app),
                  [reading])
        os.close(reading)
        return writing

    def access_socket(self, gateway=1):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.send(ACCESS_SOURCE, struct.pack("<I", gateway), [theirs.fileno()])
        theirs.close()
        return ours

    def death(self, app, cause, argument=0, generation=1, worker=1, at_ms=1_700_000_000_123, process=(0, 0, 0)):
        self.send(DEATH, struct.pack("<IIIHiq", app.number, generation, worker, cause, argument, at_ms)
                  + NO_LIMITS + struct.pack("<IIB", *process) + name(app.tenant) + name(app.app))

    def host_death(self, process, number, cause, argument=0, pid=99, at_ms=1_700_000_000_123):
        self.send(HOST_DEATH, struct.pack("<BIIHiq", process, number, pid, cause, argument, at_ms))

    def notice(self, app, kind, generation=1, number=0, at_ms=1_700_000_000_123):
        self.send(NOTICE, struct.pack("<I", app.number) + name(app.tenant) + name(app.app)
                  + struct.pack("<BIIq", kind, generation, number, at_ms))

    def settle(self):
        """Waits until control has handled everything sent so far: its messages are in order."""
        nonce = len(self.pongs) + 1
        self.send(PING, struct.pack("<I", nonce))
        wait_until(lambda: nonce in self.pongs, "a pong")

    # --- the clients' side ------------------------------------------------------------------------------------------
    def client(self, uid=0, **options):
        return Client(self.socket_path, uid, **options)

    def ask(self, method, target, body=None, uid=0):
        client = self.client(uid)
        try:
            return client.ask(method, target, body)
        finally:
            client.close()

    def cli(self, *arguments, uid=0, environment=None):
        return subprocess.run([BUILD / "rowhouse", "--socket", self.socket_path, *arguments], user=uid, group=uid,
                              extra_groups=[], capture_output=True, text=True, timeout=30, check=False, cwd="/",
                              env=environment)

    def log_text(self, app, file="app.log"):
        path = self.logs / app.tenant / app.app / file
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def log_lines(self, app, uid=0, **options):
        query = "&".join(f"{key}={value}" for key, value in options.items())
        answer = self.ask("GET", f"/v1/apps/{app.tenant}/{app.app}/logs?{query}", uid=uid)
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.splitlines()]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wait_files_closed(self):
        """Control keeps a log file open for a second at most after it wrote."""
        def is_open(fd):
            try:
                return os.readlink(f"/proc/{self.process.pid}/fd/{fd}").endswith(".log")
            except FileNotFoundError:
                return False

        wait_until(lambda: not any(map(is_open, os.listdir(f"/proc/{self.process.pid}/fd"))), "no log file is open")

    def end(self):
        """Ends control as a supervisor does that has gone: end of file."""
        self.link.shutdown(socket.SHUT_RDWR)
        self.link.close()
        self.ended = True
        try:
            self.exit_status = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_status = self.process.wait()

    def finish(self):
        """Ends control unless that was done, and returns what was wrong."""
        problems = []
        if not self.ended:
            if self.process.poll() is not None:
                problems.append(f"control died before the end: {self.process.returncode}")
            self.end()
        if self.exit_status != 0:
            problems.append(f"control ended with {self.exit_status}")
        problems += [line for line in self.stderr.splitlines()
                     if "Sanitizer" in line or "runtime error" in line or "level=error" in line]
        self.log.close()
        return problems

    def remove(self):
        shutil.rmtree(self.directory)
