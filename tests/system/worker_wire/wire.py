"""The request protocol and the life of a worker as its two neighbours see them: this module is the steward and
supervisor of one worker, and its gateways.  Frames are written here from the page, not with the C++ codec."""

import contextlib
import fcntl
import os
import pathlib
import select
import socket
import struct
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def build_directory():
    return pathlib.Path(os.environ.get('ROWHOUSE_BUILD', REPOSITORY / 'build'))


def known_pythons():
    """The rows of pythons.table: (version, program, prefix)."""
    table = build_directory() / 'pythons.table'
    return [line.split(' ', 2) for line in table.read_text().splitlines() if line]


def debug_python():
    """The row that the worker of the debug build (Meson option debug_worker) would have."""
    version, _, prefix = known_pythons()[0]
    return [version, f'rowhouse-worker-python{version}d', prefix]


HELLO, REQUEST, BODY, START, RESPONSE, DATA, END, ABORT, CREDIT, DRAIN, _, TUNNEL = range(1, 13)
WSGI, ASGI, DETECT = range(3)
METHODS = {'GET': 1, 'HEAD': 2, 'POST': 3, 'PUT': 4, 'DELETE': 5, 'OPTIONS': 6, 'PATCH': 7, 'TRACE': 8}
NAMES = ('', 'accept', 'accept-encoding', 'accept-language', 'authorization', 'cache-control', 'content-type', 'cookie',
         'if-modified-since', 'if-none-match', 'origin', 'referer', 'user-agent', 'x-forwarded-for',
         'x-forwarded-proto', 'x-requested-with', 'content-length', 'date', 'etag', 'expires', 'last-modified',
         'location', 'server', 'set-cookie', 'vary')
UNKNOWN_LENGTH = 2 ** 64 - 1
WINDOW = 262144
READY, FAILED, SECCOMP, DRAINED, CHANNEL, LIFELINE_DRAIN, LOG = 2, 3, 4, 5, 17, 18, 20
DEADLINE = 20

F_ADD_SEALS, F_SEAL_ALL = 1033, 0xf


def text16(text):
    if isinstance(text, str):
        text = text.encode('latin-1')
    return struct.pack('<H', len(text)) + text


def sealed_memory(content):
    descriptor = os.memfd_create('worker-part', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, F_ADD_SEALS, F_SEAL_ALL)
    return descriptor


def worker_part(directory, callable_='app:application', threads=1, virtualenv='', env=None, script=None, home=None,
                version=1, python='3.11', interface=WSGI, factory=False, app='site', gil_own=False):
    module, _, attribute = callable_.partition(':')
    kind = 0
    if script:
        kind, module, attribute = 1, str(script), 'create_app' if factory else 'application'
    out = struct.pack('<HHB', version, threads, kind | interface << 1 | factory << 3 | gil_own << 4)
    for text in ('acme', app, module, attribute, str(home or directory), str(directory), str(virtualenv), python):
        out += text16(text.encode())
    env = env or {}
    out += struct.pack('<H', len(env))
    for name, value in env.items():
        out += text16(name) + text16(value.encode())
    return out


def share_part(first, *others):
    """The worker part of several apps in one process."""
    return first + struct.pack('<H', len(others)) + b''.join(struct.pack('<I', len(part)) + part for part in others)


def frame(kind, stream=0, payload=b'', flags=0):
    return struct.pack('<IBBHI', len(payload), kind, flags, 0, stream) + payload


def request_payload(method='GET', target='/', script_name='', path_info=None, query='', host='acme.example',
                    headers=(), length=0, version=11, https=False, remote=('192.0.2.1', 50000), port=80,
                    server_name='acme.example', request_id='r1'):
    number = METHODS.get(method, 0)
    if path_info is None:
        path_info = target.partition('?')[0]
        query = query or target.partition('?')[2]
    out = struct.pack('<BBBBIQHH', number, version, int(https), 0, 7, length, remote[1], port)
    out += text16('' if number else method)
    for text in (target, script_name, path_info, query, host, remote[0], server_name, request_id):
        out += text16(text)
    out += struct.pack('<H', len(headers))
    for name, value in headers:
        if name in NAMES:
            out += struct.pack('<B', NAMES.index(name)) + text16(value)
        else:
            out += b'\0' + text16(name) + text16(value)
    return out


class Answer:
    """What came on one stream."""

    def __init__(self):
        self.kinds = []
        self.status = self.reason = self.abort = self.service_us = self.cpu = self.gil_wait = None
        self.headers = []
        self.body = bytearray()

    @property
    def ended(self):
        return END in self.kinds

    @property
    def closed(self):
        return self.ended or ABORT in self.kinds

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return values[0] if values else None

    def take(self, kind, payload):
        self.kinds.append(kind)
        if kind in (RESPONSE, TUNNEL):
            self.take_head(payload)
        elif kind == DATA:
            assert {RESPONSE, TUNNEL} & set(self.kinds) and 1 <= len(payload) <= 32768
            self.body += payload
        if kind in (END, ABORT):
            self.body = bytes(self.body)
        if kind == END:
            self.service_us, self.cpu, self.gil_wait = struct.unpack('<HBB', payload)
            assert self.cpu <= 201 and self.gil_wait <= 201
        elif kind == ABORT:
            self.abort = struct.unpack('<HH', payload)[0]

    def take_head(self, payload):
        assert self.kinds.count(RESPONSE) + self.kinds.count(TUNNEL) == 1
        self.status, length = struct.unpack_from('<HH', payload)
        at = 4 + length
        self.reason = payload[4:at].decode('latin-1')
        count, = struct.unpack_from('<H', payload, at)
        at += 2
        for _ in range(count):
            number = payload[at]
            at += 1
            name = NAMES[number]
            if not number:
                length, = struct.unpack_from('<H', payload, at)
                name = payload[at + 2:at + 2 + length].decode('latin-1')
                at += 2 + length
            length, = struct.unpack_from('<H', payload, at)
            self.headers.append((name, payload[at + 2:at + 2 + length].decode('latin-1')))
            at += 2 + length
        assert at == len(payload)


class Channel:
    """The gateway's end of a channel."""

    def __init__(self, end, window=WINDOW):
        self.socket = end
        self.window = window
        self.input = b''
        self.last = 0
        self.answers = {}
        self.credits = {}
        self.frames = []
        self.drained = None
        self.hello = None
        self.eof = False
        self.auto_credit = True
        self.companions = [self]  # the channels that are read while this one waits
        self.send(frame(HELLO, 0, struct.pack('<HHI', 1, 0, window)))

    def send(self, data):
        """Sends everything, reading meanwhile: as full duplex as a gateway is."""
        view = memoryview(data)
        deadline = time.monotonic() + DEADLINE
        while view:
            assert time.monotonic() < deadline, 'the worker does not read'
            readable, writable, _ = select.select(self.companions, [self.socket], [], 1)
            for channel in readable:
                channel.receive()
            if writable:
                sent = self.socket.send(view[:65536], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                view = view[sent:]

    def fileno(self):
        return self.socket.fileno()

    def receive(self):
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionResetError:
            data = b''
        if not data:
            self.eof = True
            return
        self.input += data
        while len(self.input) >= 12:
            length, kind, flags, reserved, stream = struct.unpack_from('<IBBHI', self.input)
            assert flags == 0 and reserved == 0 and length <= 98304
            if len(self.input) < 12 + length:
                break
            payload, self.input = self.input[12:12 + length], self.input[12 + length:]
            self.take(kind, stream, payload)

    def take(self, kind, stream, payload):
        self.frames.append((kind, stream, time.monotonic()))
        if kind == HELLO:
            assert self.hello is None and stream == 0
            self.hello = struct.unpack('<HHI', payload)
        elif kind == DRAIN:
            assert self.drained is None and stream == 0
            self.drained, = struct.unpack('<I', payload)
        elif kind == CREDIT:
            self.credits[stream] += struct.unpack('<I', payload)[0]
        else:
            answer = self.answers[stream]
            assert not answer.closed, 'a frame on a closed stream'
            answer.take(kind, payload)
            if kind == DATA and self.auto_credit:
                self.give_credit(stream, len(payload))

    def give_credit(self, stream, count):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the worker may have left after its END
            self.socket.sendall(frame(CREDIT, stream, struct.pack('<I', count)))

    def wait(self, condition, what='the worker', deadline=DEADLINE):
        end = time.monotonic() + deadline
        while not condition():
            assert not self.eof, f'the worker closed the channel before {what}'
            left = end - time.monotonic()
            assert left > 0, f'waited too long for {what}'
            for channel in select.select(self.companions, [], [], left)[0]:
                channel.receive()

    def open(self, body=None, flags=None, **fields):
        """Sends a REQUEST; returns its stream.  `body` None: none, else the caller sends BODY frames."""
        self.last += 1
        self.answers[self.last] = Answer()
        self.credits[self.last] = WINDOW
        flags = flags if flags is not None else 1 if body is None else 0
        self.send(frame(REQUEST, self.last, request_payload(**fields), flags))
        return self.last

    def send_body(self, stream, data, last=True):
        while data or last:
            part = data[:min(32768, self.credits[stream])]
            if data and not part:
                self.wait(lambda: self.credits[stream] > 0, 'credit')
                continue
            data = data[len(part):]
            self.credits[stream] -= len(part)
            self.send(frame(BODY, stream, part, 1 if last and not data else 0))
            if last and not data:
                return

    def wait_closed(self, stream, deadline=DEADLINE):
        self.wait(lambda: self.answers[stream].closed, f'END of stream {stream}', deadline)
        return self.answers[stream]

    def abort(self, stream, reason=1):
        self.send(frame(ABORT, stream, struct.pack('<HH', reason, 0)))

    def ask(self, target='/', method='GET', body=None, **fields):
        """One whole exchange."""
        if body is not None:
            fields.setdefault('length', len(body))
        stream = self.open(body=body, target=target, method=method, **fields)
        if body is not None:
            self.send_body(stream, body)
        return self.wait_closed(stream)


class Worker:
    """One worker process with its lifeline."""

    def __init__(self, program, part, log_path, env=None, preexec=None):
        self.log_path = log_path
        self.lifeline, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = sealed_memory(part) if isinstance(part, bytes) else part
        log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        null = os.open('/dev/null', os.O_RDWR | os.O_CLOEXEC)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in (null, log, theirs.fileno(), memory)]

        def arrange():
            os.dup2(high[0], 0)
            os.dup2(high[1], 1)
            os.dup2(high[1], 2)
            os.dup2(high[2], 3)
            os.dup2(high[3], 4)
            if preexec:
                preexec()

        self.process = subprocess.Popen([program], env=env, pass_fds=(3, 4), preexec_fn=arrange)
        theirs.close()
        for descriptor in (memory, log, null, *high):
            os.close(descriptor)
        self.channels = []

    @property
    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def record(self, deadline=DEADLINE):
        """The next record on the lifeline: (type, number); None at its end."""
        self.lifeline.settimeout(deadline)
        data = self.lifeline.recv(64)
        if not data:
            return None
        kind, version, number, zero = struct.unpack('<HHIQ', data)
        assert version == 1 and zero == 0
        return kind, number

    def wait_ready(self):
        record = self.record()
        assert record and record[0] == READY, (record, self.log)
        return record[1]

    def give_log(self, app, path):
        """The log of a further app of a share."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        socket.send_fds(self.lifeline, [struct.pack('<HHIQ', LOG, 1, app, 0)], [descriptor])
        os.close(descriptor)

    def add_channel(self, window=WINDOW, number=0):
        ours, theirs = socket.socketpair()
        socket.send_fds(self.lifeline, [struct.pack('<HHIQ', CHANNEL, 1, number, 0)], [theirs.fileno()])
        theirs.close()
        channel = Channel(ours, window)
        self.channels.append(channel)
        return channel

    def drain(self):
        self.lifeline.send(struct.pack('<HHIQ', LIFELINE_DRAIN, 1, 0, 0))

    def wait_exit(self, deadline=DEADLINE):
        return self.process.wait(deadline)

    def stop(self):
        for channel in self.channels:
            channel.socket.close()
        self.lifeline.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


def wait_until(condition, what, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while not condition():
        assert time.monotonic() < end, f'waited too long for {what}'
        time.sleep(0.005)
