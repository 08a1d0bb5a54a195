"""A WebSocket client for tests (RFC 6455), which can also break every rule."""
import base64
import os
import select
import socket
import struct
import time

from rowhouse_host import PATIENCE_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN = 0x80


class Refused(Exception):
    """The server answered something else than 101."""

    def __init__(self, status, head, body):
        super().__init__(f"{status}: {body[:200]!r}")
        self.status, self.head, self.body = status, head, body


def frame(opcode, payload=b"", fin=True, masked=True, reserved=0):
    """One frame as a client writes it."""
    head = bytes([(FIN if fin else 0) | reserved | opcode])
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += struct.pack(">BH", bit | 126, size)
    else:
        head += struct.pack(">BQ", bit | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    mask = (key * (size // 4 + 1))[:size]
    return head + key + (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


class WebSocket:
    """Connected and upgraded; Refused when the server does not."""

    def __init__(self, port, host, path="/", subprotocols=(), headers="", with_head=b"", version="13", key=None):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE_S)
        self.input = b""
        key = base64.b64encode(os.urandom(16)).decode() if key is None else key
        offered = f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}\r\n" if subprotocols else ""
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {version}\r\n{offered}{headers}\r\n"
                             ).encode() + with_head)
        self.head = self._read_head()
        status = int(self.head.split(" ", 2)[1])
        if status != 101:
            body = self._read_rest()
            self.socket.close()
            raise Refused(status, self.head, body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def header(self, name):
        for line in self.head.splitlines()[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None

    def _read_head(self):
        while b"\r\n\r\n" not in self.input:
            data = self.socket.recv(65536)
            assert data, f"the connection ended in the head: {self.input!r}"
            self.input += data
        head, _, self.input = self.input.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    def _read_rest(self):
        length = int(self.header("Content-Length") or 0)
        while len(self.input) < length:
            data = self.socket.recv(65536)
            if not data:
                break
            self.input += data
        return self.input

    # --- frames
    def send(self, message):
        if isinstance(message, str):
            self.socket.sendall(frame(TEXT, message.encode()))
        else:
            self.socket.sendall(frame(BINARY, message))

    def send_frame(self, *arguments, **options):
        self.socket.sendall(frame(*arguments, **options))

    def read_frame(self):
        """(opcode, payload, fin); None at the end of the connection."""
        while True:
            found = self._cut_frame()
            if found:
                return found
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not data:
                assert not self.input, f"the connection ended inside a frame: {self.input[:100]!r}"
                return None
            self.input += data

    def _cut_frame(self):
        data = self.input
        if len(data) < 2:
            return None
        assert not data[1] & 0x80, "a server does not mask"
        size, at = data[1] & 127, 2
        if size == 126:
            if len(data) < 4:
                return None
            size, at = struct.unpack_from(">H", data, 2)[0], 4
        elif size == 127:
            if len(data) < 10:
                return None
            size, at = struct.unpack_from(">Q", data, 2)[0], 10
        if len(data) < at + size:
            return None
        self.input = data[at + size:]
        return data[0] & 15, data[at:at + size], bool(data[0] & FIN)

    def receive(self):
        """The next whole message; pings are answered.  REQUIRES: there is one."""
        parts, kind = b"", None
        while True:
            found = self.read_frame()
            assert found, "the connection ended"
            opcode, payload, fin = found
            if opcode == PING:
                self.send_frame(PONG, payload)
                continue
            assert opcode in (CONTINUATION, TEXT, BINARY), (opcode, payload)
            kind = kind or opcode
            parts += payload
            if fin:
                return parts.decode() if kind == TEXT else parts

    def read_close(self):
        """Everything up to the server's close frame is dropped: (code, reason)."""
        while True:
            found = self.read_frame()
            assert found, "the connection ended without a close frame"
            if found[0] == CLOSE:
                payload = found[1]
                return (struct.unpack(">H", payload[:2])[0] if payload else 1005), payload[2:].decode()

    def close(self, code=1000, reason=b""):
        """The closing handshake, begun here: what the server answered."""
        self.send_frame(CLOSE, struct.pack(">H", code) + reason)
        answer = self.read_close()
        assert self.read_frame() is None, "something came after the close frame"
        return answer

    def is_ended(self):
        return self.read_frame() is None

    def send_until_blocked(self, data, seconds=PATIENCE_S):
        """How many bytes of `data` the server took before it took no more for a second."""
        self.socket.setblocking(False)
        sent, end = 0, time.monotonic() + seconds
        while sent < len(data):
            assert time.monotonic() < end, f"{sent} bytes were taken, and still more are"
            if not select.select([], [self.socket], [], 1)[1]:
                break
            sent += self.socket.send(data[sent:sent + 65536])
        self.socket.settimeout(PATIENCE_S)
        return sent
