"""The hostile worker: while the real worker program imports this module, it takes the process over.  It says READY
itself, receives the channels itself and never lets the program go on; sandbox, limits and descriptors are the real
ones.  The last part of a request's path names the deed (evil_deeds.py)."""
import contextlib
import os
import pathlib
import select
from urllib.parse import parse_qs

import evil_deeds
from evil_channel import BODY, CREDIT, REQUEST, Channel, Lifeline, Request

HOME = pathlib.Path(os.environ["HOME"])
NAME = os.environ["EVIL_NAME"]


def once(what):
    """The content of a file that a test has laid out for the next start of this app, which takes it away."""
    path = HOME / "next" / f"{NAME}.{what}"
    with contextlib.suppress(FileNotFoundError):
        content = path.read_bytes()
        path.unlink()
        return content
    return None


def note(what):
    """One line for the test, in the tenant's home."""
    with open(HOME / "next" / f"{NAME}.notes", "a", encoding="ascii") as file:
        file.write(what + "\n")


class World:
    """What a deed can reach: the channels, and the streams that are left without an answer."""

    def __init__(self):
        self.channels, self.held, self.note = [], [], note

    def take(self, channel, event):
        if event is None:
            self.channels.remove(channel)
            return
        kind, stream, payload, last = event
        if kind == CREDIT:
            channel.take_credit(stream, payload)
        elif kind == REQUEST:
            channel.last = stream
            self.serve(Request(channel, stream, payload, last))
        elif kind == BODY:
            evil_deeds.on_body(self, channel, stream, payload, last)

    def serve(self, request):
        query = {key: values[0] for key, values in parse_qs(request.query, keep_blank_values=True).items()}
        deed = getattr(evil_deeds, "do_" + request.path.strip("/"), None)
        if deed is None:
            request.answer(b"no such deed", status=404)
            return
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            request.start()
        deed(self, request, **query)


def serve():
    lifeline, world = Lifeline(), World()
    if (HOME / "next" / f"{NAME}.crash").exists():
        note("started")
        os._exit(3)
    lifeline.say_ready()
    while True:
        for ready in select.select([lifeline, *world.channels], [], [])[0]:
            if ready is not lifeline:
                for event in ready.frames():
                    world.take(ready, event)
                continue
            order = lifeline.receive()
            if order is None or order[0] == "drain":
                os._exit(0)
            if order[0] == "channel":
                world.channels.append(Channel(order[1], once("greeting")))


with contextlib.suppress(BrokenPipeError, ConnectionResetError):
    serve()
while True:  # the gateway has closed the channel under a deed: what follows is the supervisor's doing
    select.select([], [], [])
