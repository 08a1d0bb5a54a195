"""The hostile template: while the real worker program imports this module as a template, it takes the process over, says
READY itself and answers each FORK as the file `next/mode` in its home says.  Sandbox, limits and descriptors are the
real ones."""
import ctypes
import json
import os
import pathlib
import select
import socket
import struct
import sys
import time

from evil_channel import REQUEST, Channel, Lifeline, Request

HOME = pathlib.Path(os.environ["HOME"])
BORN, GO, FORK, DRAIN = 1, 16, 19, 18
SUBREAPER = 36
KEPT = []  # what a template that keeps descriptors keeps


def mode():
    try:
        return (HOME / "next" / "mode").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return "good"


def note(what):
    with open(HOME / "next" / "notes", "a", encoding="ascii") as file:
        file.write(what + "\n")


def record(kind, number=0):
    return struct.pack("<HHIQ", kind, 1, number, 0)


class WorkerLifeline(Lifeline):
    def __init__(self, end):  # pylint: disable=super-init-not-called
        self.socket = end
        self.socket.setblocking(True)


def facts():
    with open("/proc/self/cgroup", encoding="ascii") as groups:
        leaves = sorted({line.rstrip("\n").rpartition("/")[2] for line in groups})
    return {"pid": os.getpid(), "parent": os.getppid(), "leaves": leaves}


def serve(end):
    """What a worker does after GO, for as long as it lives."""
    lifeline, channels = WorkerLifeline(end), []
    lifeline.say_ready()
    while True:
        for ready in select.select([lifeline, *channels], [], [])[0]:
            if ready is lifeline:
                order = lifeline.receive()
                if order is None or order[0] == "drain":
                    os._exit(0)
                if order[0] == "channel":
                    channels.append(Channel(order[1]))
                continue
            for event in ready.frames():
                if event is None:
                    channels.remove(ready)
                elif event[0] == REQUEST:
                    request = Request(ready, *event[1:])
                    if request.method not in ("GET", "HEAD", "OPTIONS"):
                        request.start()
                    if request.path.endswith("/die"):
                        os._exit(9)
                    request.answer(json.dumps(facts()).encode())


def be_born(end):
    end.setblocking(True)
    end.send(record(BORN))
    answer = end.recv(64)
    if len(answer) < 16 or struct.unpack("<HHIQ", answer[:16])[0] != GO:
        os._exit(4)
    serve(end)


def fork(times, action):
    """The last of so many forks does it; those between end."""
    first = os.fork()
    if first == 0:
        for _ in range(times - 1):
            if os.fork() != 0:
                os._exit(0)
        time.sleep(0.05)  # whoever is between has ended
        action()
        os._exit(0)
    if times > 1:
        os.waitpid(first, 0)
    return first


def claim_twice(end, last=[]):  # pylint: disable=dangerous-default-value
    """One process for two workers: it says BORN on its own lifeline, and once it serves on the next one too."""
    if not last:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def be_two():
            end.send(record(BORN))
            end.recv(64)
            other = socket.recv_fds(theirs, 64, 1)[1][0]
            second = socket.socket(fileno=other)
            second.send(record(BORN))
            note("claimed twice")
            serve(end)

        fork(2, be_two)
        last.append(ours)
    else:
        socket.send_fds(last[0], [b"x"], [end.fileno()])
        KEPT.append(end)


def on_fork(end, log):
    what = mode()
    if what == "good":
        fork(2, lambda: be_born(end))
    elif what == "keep":
        fork(2, lambda: be_born(end))
        KEPT.extend([socket.socket(fileno=os.dup(end.fileno())), os.dup(log)])
    elif what == "itself":
        end.send(record(BORN))
        KEPT.append(end)
        note("said BORN itself")
    elif what == "hidden":
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        fork(2, lambda: be_born(end))
        note("hid a worker")
    elif what == "once":
        fork(1, lambda: be_born(end))
        note("forked once")
    elif what == "twice":
        claim_twice(end)
    elif what == "silent":
        KEPT.append(end)
        note("does not fork")
    elif what == "refuse":
        note("refused")
    elif what == "die":
        fork(2, lambda: time.sleep(3600))
        note("dies")
        os._exit(6)
    elif what == "bomb":
        note("forks without end")
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.01)
    os.close(log)


def main():
    lifeline = Lifeline()
    if mode() == "unasked":
        for _ in range(20):
            if os.fork() == 0:
                lifeline.socket.send(record(BORN))
                time.sleep(3600)
        note("forked unasked")
    lifeline.say_ready()
    while True:
        data, descriptors, _, _ = socket.recv_fds(lifeline.socket, 64, 4)
        if len(data) < 16:
            os._exit(0)
        kind = struct.unpack("<HHIQ", data[:16])[0]
        if kind == DRAIN:
            os._exit(0)
        if kind == FORK:
            on_fork(socket.socket(fileno=descriptors[0]), descriptors[1])


if sys.argv and pathlib.Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").endswith(b"template"):
    main()


def application(_environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
