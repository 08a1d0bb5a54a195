"""A worker's end of the lifeline and of its channels, written from the protocol's pages by somebody who keeps to them
only as long as it suits.  Beside it lies wire.py, the codec of the tests, which a test copies here."""
import os
import socket
import struct
import sys

from wire import (BODY, CHANNEL, CREDIT, DATA, END, HELLO, LIFELINE_DRAIN, METHODS, READY, REQUEST, RESPONSE, START,
                  WINDOW, frame, text16)

LIFELINE = 3
METHOD_NAMES = {number: name for name, number in METHODS.items()}


def response_payload(status=200, fields=(), reason=b"", count=None):
    out = struct.pack("<H", status) + text16(reason) + struct.pack("<H", len(fields) if count is None else count)
    for name, value in fields:
        out += b"\0" + text16(name) + text16(value)
    return out


def end_payload(service_us=50):
    return struct.pack("<HH", service_us, 0)


def data_frames(stream, data):
    return b"".join(frame(DATA, stream, data[at:at + 32768]) for at in range(0, len(data), 32768))


class Request:
    """One REQUEST as it came, and the means to answer it well."""

    def __init__(self, channel, stream, payload, last):
        self.channel, self.stream, self.has_body = channel, stream, not last
        number, _, _, _, self.app, self.length, _, _ = struct.unpack_from("<BBBBIQHH", payload)
        at, texts = 20, []
        for _ in range(6):
            length, = struct.unpack_from("<H", payload, at)
            texts.append(payload[at + 2:at + 2 + length].decode("latin-1"))
            at += 2 + length
        self.method = METHOD_NAMES.get(number, texts[0])
        self.target, self.prefix, self.path, self.query = texts[1:5]

    def send(self, data):
        self.channel.send(data)

    def start(self):
        self.send(frame(START, self.stream))

    def head(self, status=200, fields=(), reason=b""):
        self.send(frame(RESPONSE, self.stream, response_payload(status, fields, reason)))

    def data(self, data):
        self.send(data_frames(self.stream, data))

    def end(self):
        self.send(frame(END, self.stream, end_payload()))

    def answer(self, body=b"well behaved", status=200, fields=(), reason=b""):
        """A whole answer in one write, with the length that it has."""
        length = () if status in (204, 304) else (("Content-Length", str(len(body))),)
        payload = response_payload(status, (*fields, *length), reason)
        self.send(frame(RESPONSE, self.stream, payload) + data_frames(self.stream, body)
                  + frame(END, self.stream, end_payload()))


class Channel:
    """One gateway's channel: requests come out, anything goes in."""

    def __init__(self, end, greeting=None):
        self.socket, self.input, self.window, self.last = end, b"", {}, 0
        end.setblocking(True)
        self.send(frame(HELLO, 0, struct.pack("<HHI", 1, 0, WINDOW)) if greeting is None else greeting)

    def fileno(self):
        return self.socket.fileno()

    def send(self, data):
        self.socket.sendall(data)

    def frames(self):
        """Reads once; the whole frames that are there, and None when the gateway has closed."""
        try:
            data = self.socket.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            yield None
            return
        self.input += data
        while len(self.input) >= 12:
            length, kind, flags, _, stream = struct.unpack_from("<IBBHI", self.input)
            if len(self.input) < 12 + length:
                return
            payload, self.input = self.input[12:12 + length], self.input[12 + length:]
            yield kind, stream, payload, bool(flags & 1)

    def take_credit(self, stream, payload):
        self.window[stream] = self.window.get(stream, WINDOW) + struct.unpack("<I", payload)[0]


class Lifeline:
    """Descriptor 3 of every worker."""

    def __init__(self):
        self.socket = socket.socket(fileno=os.dup(LIFELINE))
        self.socket.setblocking(True)

    def fileno(self):
        return self.socket.fileno()

    def say_ready(self):
        version = sys.version_info.major << 8 | sys.version_info.minor
        self.socket.send(struct.pack("<HHIQ", READY, 1, version, 0))

    def receive(self):
        """("channel", socket), ("drain", None), or None when the supervisor has gone."""
        data, descriptors, _, _ = socket.recv_fds(self.socket, 64, 4)
        if len(data) < 16:
            return None
        kind = struct.unpack("<HHIQ", data[:16])[0]
        if kind == CHANNEL and descriptors:
            return "channel", socket.socket(fileno=descriptors[0])
        return ("drain", None) if kind == LIFELINE_DRAIN else ("other", None)


__all__ = ["BODY", "CREDIT", "REQUEST", "Channel", "Lifeline", "Request", "data_frames", "end_payload", "frame",
           "response_payload"]
