"""The event loop of a worker that runs an ASGI 3.0 app, inside the worker program.

`core` is the C++ side: pump() takes what the gateways sent, flush() sends what was produced.  Everything here runs in
the loop's thread.
"""
import asyncio
import base64
import binascii
import functools
import inspect
import sys

import _rowhouse_asgi_exchanges as exchanges
from _rowhouse_asgi_exchanges import Http, Socket, Waiting

core = None


def interface_of(app):
    """"asgi", "wsgi", "asgi2" (a callable that returns a callable), or None when it cannot be told."""
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):
        return "asgi"
    if isinstance(app, functools.partial) and inspect.iscoroutinefunction(app.func):
        return "asgi"
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [each for each in parameters if each.kind in positional and each.default is inspect.Parameter.empty]
    return {1: "asgi2", 2: "wsgi", 3: "asgi"}.get(len(required))


class Lifespan:
    """ASGI "Lifespan Protocol": an app that raises for the scope has none, and one that raises later is served without."""

    def __init__(self, app):
        self.app = app
        self.state = {}
        self.supported = True
        self.messages = asyncio.Queue()
        self.begun = ""  # what the app was told last
        self.answered = asyncio.Event()
        self.failure = None
        self.task = None

    async def run(self):
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.app(scope, self.receive, self.send)
        except Exception as error:
            if not self.answered.is_set():
                self.supported = False
            if self.begun == "lifespan.startup" and not self.supported:
                core.log_exception("the app's startup, without which it is served", error)
            elif self.begun:
                core.log_exception("the app's lifespan", error)
        finally:
            self.answered.set()

    async def receive(self):
        message = await self.messages.get()
        self.begun = message["type"]
        return message

    async def send(self, message):
        kind = message["type"]
        if kind.endswith(".failed"):
            self.failure = message.get("message", "") or "it gave no message"
        elif not kind.endswith(".complete"):
            raise RuntimeError(f"the app sent {kind!r}, which is no message of the lifespan")
        self.answered.set()

    async def say(self, kind):
        """What the app says failed, or None."""
        self.answered.clear()
        self.messages.put_nowait({"type": kind})
        if self.task is None:
            self.task = asyncio.ensure_future(self.run())
        await self.answered.wait()
        return self.failure

    async def stop(self):
        if self.supported and self.task is not None and not self.task.done():
            failure = await self.say("lifespan.shutdown")
            if failure:
                core.say("the app's shutdown failed: " + failure)
            await asyncio.wait({self.task})


class Server:
    def __init__(self, app):
        self.app = app
        self.core = core
        self.loop = None
        self.lifespan = None
        self.sockets = set()
        self.tasks = set()
        self.finished = None
        self.flush_due = False
        self.is_ending = False
        self.told_draining = False

    # --- output: what one turn of the loop produced leaves together
    def note_output(self):
        if not self.flush_due:
            self.flush_due = True
            self.loop.call_soon(self.flush)

    def flush(self):
        self.flush_due = False
        core.flush()
        if self.told_draining:
            self.end_if_finished()

    def note_failure(self, stream, error):
        """An app that stops because its client went away has not failed."""
        if stream.is_gone and isinstance(error, (OSError, asyncio.CancelledError)):
            return
        core.log_exception(f"request {stream.request_id}: calling the app", error)

    # --- input
    def on_events(self):
        begun, changed = core.pump()
        for each in changed:
            each.wake()
        for stream in begun:
            self.begin(stream)
        if core.is_draining():
            self.go_away()

    def begin(self, stream):
        scope = stream.scope()
        if self.lifespan.state:
            scope["state"] = self.lifespan.state.copy()
        if stream.offers_upgrade:
            exchange = self.begin_socket(stream, scope)
            if exchange is None:
                return
        else:
            exchange = Http(stream)
        task = self.loop.create_task(exchange.run(self.app, scope))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def begin_socket(self, stream, scope):
        headers = dict(scope["headers"])
        key = headers.get(b"sec-websocket-key", b"")
        try:
            whole = len(base64.b64decode(key, validate=True)) == 16
        except binascii.Error:
            whole = False
        if whole and headers.get(b"sec-websocket-version") == b"13":
            return Socket(stream, key)
        Waiting(stream)
        if whole:
            stream.start(426, ((b"Sec-WebSocket-Version", b"13"),))
        else:
            stream.start(400, ())
        stream.send(b"", False)
        stream.close()
        self.note_output()
        return None

    # --- the end
    def go_away(self):
        if not self.told_draining:
            self.told_draining = True
            for each in list(self.sockets):
                each.begin_close(1012, "the server restarts")
        self.end_if_finished()

    def end_if_finished(self):
        if core.is_finished() and not self.finished.done():
            self.finished.set_result(None)

    def serve(self):
        """The reason why the app does not start, or None after its life."""
        self.loop = new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.lifespan = self.loop.run_until_complete(self.create_lifespan())
        failure = self.loop.run_until_complete(self.lifespan.say("lifespan.startup"))
        if failure:
            return failure
        self.finished = self.loop.create_future()
        self.loop.add_reader(core.event_descriptor, self.on_events)
        core.ready()
        self.loop.call_soon(self.on_events)
        self.loop.run_until_complete(self.finished)
        self.loop.remove_reader(core.event_descriptor)
        core.begin_end()
        self.is_ending = True
        self.loop.run_until_complete(self.lifespan.stop())
        self.loop.run_until_complete(self.cancel_tasks())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        return None

    async def create_lifespan(self):
        return Lifespan(self.app)

    async def cancel_tasks(self):
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def new_event_loop():
    """uvloop's, if the app's environment has it and the process is the app's alone: it is not made for several interpreters."""
    if "_rowhouse_share" in sys.modules:
        return asyncio.new_event_loop()
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def serve(app):
    exchanges.server = Server(app)
    return exchanges.server.serve()
