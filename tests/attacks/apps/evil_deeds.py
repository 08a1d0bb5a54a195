"""What the hostile worker does, one function for each deed.  Each is given the world, the request that ordered it and
the request's query; what it writes is up to it."""
import array
import errno
import json
import os
import signal
import socket
import struct
import time
from urllib.parse import unquote_to_bytes

from evil_channel import LIFELINE, end_payload, frame, response_payload
from wire import ABORT, CREDIT, DATA, DRAIN, DRAINED, END, HELLO, RESPONSE, START, WINDOW, text16

SCM_MOST = 253  # descriptors in one message


# --- the twins: the same hand-written frames, as the page wants them ---------------------------------------------
def do_twin(_world, request):
    request.answer()


def do_pid(_world, request):
    request.answer(str(os.getpid()).encode())


def do_sized(_world, request, size="0", fields="0", name="8", value="8"):
    """An answer of exactly these sizes: bytes of body in frames as large as they may be, fields in its head."""
    head = [("X-" + "a" * (int(name) - 2), "b" * int(value))] * int(fields)
    body = b"c" * int(size)
    request.send(frame(RESPONSE, request.stream, response_payload(200, head)))
    request.data(body)
    request.end()


# --- to be in the way --------------------------------------------------------------------------------------------
def do_hold(world, request):
    """No answer."""
    world.held.append(request)


def do_held(world, request):
    request.answer(str(len(world.held)).encode())


def do_begin(world, request, length="1000"):
    """A head that promises more than the ten bytes which follow."""
    world.held.append(request)
    request.head(fields=[("X-Stream", str(request.stream)), *([("Content-Length", length)] if int(length) else [])])
    request.data(b"x" * 10)


def do_complete(world, request, size):
    """The last one that has begun gets the rest of its body."""
    first = world.held.pop()
    first.data(b"x" * int(size))
    first.end()
    request.answer()


def do_sleep(_world, _request):
    """Reads nothing any more, neither channel nor lifeline."""
    while True:
        time.sleep(60)


def do_stop(_world, request, head="0"):
    if int(head):
        request.head()
        request.data(b"x")
    os.kill(os.getpid(), signal.SIGSTOP)


def do_leave(world, request, status="3"):
    """`request` may be a POST: that it was here is noted before the end."""
    world.note("left " + request.method)
    os._exit(int(status))


# --- raw bytes ---------------------------------------------------------------------------------------------------
def do_raw(_world, request, hex="", text="", random="0", repeat="1"):
    """Bytes as ordered; S stands for the stream in a text of words: frame TYPE:STREAM:PAYLOADHEX."""
    data = bytes.fromhex(hex) + unquote_to_bytes(text) + os.urandom(int(random))
    for _ in range(int(repeat)):
        request.send(data)


def do_frame(_world, request, type="0", stream="", flags="0", reserved="0", length="", payload=""):
    """One frame with every field of its header as ordered; what is not ordered is right."""
    data = bytes.fromhex(payload)
    claimed = int(length, 0) if length else len(data)
    number = int(stream, 0) if stream else request.stream
    request.send(struct.pack("<IBBHI", claimed, int(type), int(flags), int(reserved), number) + data)


def do_drip(_world, request, seconds="60", valid="0"):
    """One byte each half second: of a frame's header, or of a body that is in order."""
    if int(valid):
        request.head()
    until, header = time.monotonic() + int(seconds), struct.pack("<IBBHI", 32768, DATA, 0, 0, request.stream)
    parts = iter(header + b"x" * 32768)
    while time.monotonic() < until:
        request.send(frame(DATA, request.stream, b"x") if int(valid) else bytes([next(parts)]))
        time.sleep(0.5)


# --- frames out of order -----------------------------------------------------------------------------------------
def sequences(request):
    stream = request.stream
    start, end = frame(START, stream), frame(END, stream, end_payload())
    head, data = frame(RESPONSE, stream, response_payload()), frame(DATA, stream, b"x")
    return {
        "body before head": data, "end before head": end, "two heads": head + head, "two starts": start + start,
        "start after head": head + start, "end twice": head + end + end, "data after end": head + end + data,
        "head after end": head + end + head, "abort after end": head + end + frame(ABORT, stream, b"\x10\0\0\0"),
        "an abort of the gateway's": frame(ABORT, stream, b"\1\0\0\0"), "no credit": frame(CREDIT, stream, b"\0" * 4),
        "too much credit": frame(CREDIT, stream, struct.pack("<I", 1 << 24)) * 2,
        "drain before what ran": start + frame(DRAIN, 0, b"\0" * 4), "drain twice": frame(DRAIN, 0, b"\xff\0\0\0") * 2,
        "second greeting": frame(HELLO, 0, struct.pack("<HHI", 1, 0, WINDOW)),
    }


def do_sequence(_world, request, name):
    request.send(sequences(request)[name])


def do_interleave(world, request):
    """With the request that is held: two answers, byte by byte in turn."""
    first = world.held.pop()
    for each in (first, request):
        each.head(fields=[("Content-Length", "5000")])
    for _ in range(50):
        first.data(b"1" * 100)
        request.data(b"2" * 100)
    first.end()
    request.end()


def do_finished(_world, request):
    """Answers well, then once more."""
    request.answer()
    request.answer(b"forged")


def do_flood(_world, request, mebibytes="64"):
    """A body that heeds no credit."""
    request.head()
    piece = frame(DATA, request.stream, b"x" * 32768) * 32
    for _ in range(int(mebibytes)):
        request.send(piece)


def do_tiny(world, request, count):
    """A body in frames of one byte, all in order and within the credit."""
    request.head()
    left, channel = int(count), request.channel
    one = frame(DATA, request.stream, b"t")
    channel.window[request.stream] = WINDOW
    while left:
        while channel.window[request.stream] == 0:
            for event in channel.frames():
                world.take(channel, event)
        part = min(left, channel.window[request.stream], 65536)
        channel.window[request.stream] -= part
        left -= part
        request.send(one * part)
    request.end()


# --- heads -------------------------------------------------------------------------------------------------------
def do_head(_world, request, status="200", name="", value="", number="", reason="", body="hello", count="",
            more=""):
    """A head with one field, given as bytes, and a whole body; `more` is a second field's value."""
    fields = [(name.encode("latin-1"), value.encode("latin-1"))] if name or value else []
    if more:
        fields.append((name.encode("latin-1"), more.encode("latin-1")))
    payload = response_payload(int(status), fields, reason.encode("latin-1"), int(count) if count else None)
    if number:
        payload = struct.pack("<HHHB", int(status), 0, 1, int(number)) + text16(value)
    request.send(frame(RESPONSE, request.stream, payload))
    request.data(body.encode())
    request.end()


def do_fields(_world, request, count, size="1"):
    """One frame with so many fields; what the header says is what follows."""
    field = b"\0" + text16("x-a") + text16("b" * int(size))
    request.send(frame(RESPONSE, request.stream,
                       struct.pack("<HHH", 200, 0, int(count) & 0xFFFF) + field * int(count)))


def do_interim(_world, request, count="1", status="103"):
    request.send(frame(RESPONSE, request.stream, response_payload(int(status))) * int(count))


# --- descriptors -------------------------------------------------------------------------------------------------
def send_descriptors(end, data, descriptors):
    end.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])


def do_descriptors(_world, request, times, each=str(SCM_MOST)):
    """Descriptors with the bytes of an answer that is in order; tells how often the kernel refused."""
    null, refused = os.open("/dev/null", os.O_RDONLY), 0
    request.head()
    for _ in range(int(times)):
        try:
            send_descriptors(request.channel.socket, frame(CREDIT, request.stream, b"\1\0\0\0"), [null] * int(each))
        except PermissionError:
            refused += 1
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:  # too many are on their way already
                raise
    request.data(json.dumps({"refused": refused}).encode())
    request.end()


def do_slow_descriptor(_world, request, seconds, lifeline="0"):
    """A TCP socket whose last close waits so long: its other end does not read, and it lingers."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        slow = socket.create_connection(listener.getsockname())
        other = listener.accept()[0]
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, int(seconds)))
    slow.setblocking(False)
    try:
        while True:
            slow.send(b"x" * 65536)
    except BlockingIOError:
        pass
    try:
        if int(lifeline):
            record = struct.pack("<HHIQ", DRAINED, 1, 0, 0)
            send_descriptors(socket.socket(fileno=os.dup(LIFELINE)), record, [slow.fileno()])
        else:
            send_descriptors(request.channel.socket, frame(CREDIT, request.stream, b"\1\0\0\0"), [slow.fileno()])
        told = b"sent"
    except PermissionError:
        told = b"refused"
    if told == b"refused":  # ours is the last reference, and to close it would be slow for us
        other.close()
    os.close(slow.detach())
    request.answer(told)
    time.sleep(int(seconds))
    other.close()


def do_memory(_world, request):
    """Shared memory with the answer, made shorter when the gateway might look at it."""
    memory = os.memfd_create("evil")
    os.truncate(memory, 1 << 20)
    try:
        send_descriptors(request.channel.socket, frame(CREDIT, request.stream, b"\1\0\0\0"), [memory])
        told = b"sent"
    except PermissionError:
        told = b"refused"
    os.truncate(memory, 0)
    request.answer(told)


# --- ends of the channel -----------------------------------------------------------------------------------------
def do_end(world, request, how, head="0"):
    """The process lives on; the channel does not."""
    if int(head):
        request.head(fields=[("Content-Length", "1000")])
        request.data(b"x" * 10)
    end = request.channel.socket
    if how == "close":
        world.channels.remove(request.channel)
        end.close()
    else:
        end.shutdown({"write": socket.SHUT_WR, "read": socket.SHUT_RD, "both": socket.SHUT_RDWR}[how])
        if how != "read":
            world.channels.remove(request.channel)


def do_share(_world, request, children="8"):
    """Many writers, no order: whole frames, in pieces."""
    for _ in range(int(children)):
        if os.fork():
            continue
        data = frame(DATA, request.stream, os.urandom(3000))
        while True:
            for at in range(0, len(data), 7):
                request.send(data[at:at + 7])
    while True:
        time.sleep(60)


# --- others ------------------------------------------------------------------------------------------------------
def do_early(_world, request):
    """The answer to a request whose body nobody has read."""
    request.answer(b"early")


def do_say(_world, request, hex):
    """Bytes on its log."""
    os.write(1, bytes.fromhex(hex))
    request.answer(b"said")


def on_body(_world, _channel, _stream, _payload, _last):
    """Bodies are not looked at; whoever sends more than the window waits for ever."""
