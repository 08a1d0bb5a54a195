"""What an app awaits in an ASGI worker: `receive` and `send` of one request and of one WebSocket.

A Stream (C++) is one request; `server`, the Server of asgi_runtime.py, sends what streams produce.
"""
import asyncio
import base64
import hashlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
HANDSHAKE_END_S = 5  # for the client's answer to our close frame
PING_INTERVAL_S = 20
FILE_BLOCK_BYTES = 64 * 1024

server = None


class Waiting:
    """Tasks that wait until something came for their stream."""
    __slots__ = ("stream", "waiters")

    def __init__(self, stream):
        self.stream = stream
        self.waiters = []
        stream.observer = self

    def wake(self):
        """Called when body, credit or room came, or the client went away."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self):
        waiter = server.loop.create_future()
        self.waiters.append(waiter)
        await waiter

    async def drain(self):
        """Until everything that was given to the stream is on its way."""
        server.note_output()
        while not self.stream.resume():
            if self.stream.is_gone:
                return
            await self.wait()
            server.note_output()


def refuse_order(message, state):
    raise RuntimeError(f"the app sent {message!r}, which cannot come {state}")


class Http(Waiting):
    """One request (ASGI "HTTP Connection Scope")."""
    __slots__ = ("started", "ended", "body_taken")

    def __init__(self, stream):
        super().__init__(stream)
        self.started = self.ended = self.body_taken = False

    async def receive(self):
        while True:
            if self.ended or self.stream.is_gone:
                return {"type": "http.disconnect"}
            if not self.body_taken:
                part = self.stream.read()
                if part is not None:
                    self.body_taken = not part[1]
                    if part[1]:
                        server.note_output()  # credit for the client
                    return {"type": "http.request", "body": part[0], "more_body": part[1]}
            await self.wait()

    async def send(self, message):
        kind = message["type"]
        stream = self.stream
        if kind == "http.response.start":
            if self.started:
                refuse_order(kind, "twice")
            stream.start(message["status"], message.get("headers", ()))
            self.started = True
        elif kind == "http.response.body":
            self.require_open(kind)
            more = message.get("more_body", False)
            if not stream.send(message.get("body", b""), more):
                await self.drain()
            elif more:
                server.note_output()
            if not more:
                self.end()
        elif kind == "http.response.pathsend":
            self.require_open(kind)
            await self.send_file(message["path"])
            self.end()
        else:
            raise RuntimeError(f"the app sent {kind!r}, which is no message of an HTTP request")

    def require_open(self, kind):
        if not self.started:
            refuse_order(kind, "before 'http.response.start'")
        if self.stream.is_gone:
            raise ConnectionResetError("the client went away before the response was complete")
        if self.ended:
            refuse_order(kind, "after the end of the body")

    def end(self):
        self.ended = True
        server.note_output()
        self.wake()  # whoever waits in receive() learns of the end

    async def send_file(self, path):
        loop = server.loop
        with await loop.run_in_executor(None, open, path, "rb") as file:
            while True:
                block = await loop.run_in_executor(None, file.read, FILE_BLOCK_BYTES)
                if not self.stream.send(block, bool(block)):
                    await self.drain()
                if self.stream.is_gone:
                    raise ConnectionResetError("the client went away before the file was sent")
                if not block:
                    return

    async def run(self, app, scope):
        try:
            await app(scope, self.receive, self.send)
            if not self.ended and not self.stream.is_gone:
                raise RuntimeError("the app returned before its response was complete" if self.started else
                                   "the app returned without sending a response")
        except BaseException as error:  # SystemExit too: it ends the request, not the worker
            server.note_failure(self.stream, error)
            if isinstance(error, asyncio.CancelledError) and server.is_ending:
                raise
        finally:
            self.stream.close()
            server.note_output()
            self.ended = True
            self.wake()


class Socket(Waiting):
    """One WebSocket (ASGI "WebSocket Connection Scope")."""
    __slots__ = ("codec", "connect_told", "accepted", "denial_started", "closed", "client_ended", "heard",
                 "timer", "key")

    def __init__(self, stream, key):
        super().__init__(stream)
        self.codec = self.timer = None
        self.connect_told = self.accepted = self.denial_started = self.closed = self.client_ended = False
        self.heard = True
        self.key = key

    # --- bytes
    def wake(self):
        if self.accepted:
            self.pull()
        super().wake()

    def pull(self):
        """Gives the codec what came, as long as the app takes the messages and the client the answers."""
        while not self.is_held_back():
            part = self.stream.read()
            if part is None:
                break
            self.heard = True
            self.codec.receive(part[0])
            self.push()
            if not part[1]:
                self.client_ended = True
                break
        self.push()

    def push(self):
        if self.codec.has_output() and not self.stream.write(self.codec.take_output()):
            self.heard = True  # it takes its time over what stands before the next ping
        server.note_output()

    def is_held_back(self):
        """Nothing more is read: the app has messages to take, or the client bytes.  A pong would not be seen."""
        return not self.codec.wants_input() or not self.stream.resume()

    def is_over(self):
        return self.client_ended or self.codec.is_input_over() or self.stream.is_gone

    # --- the app's side
    async def receive(self):
        if not self.connect_told:
            self.connect_told = True
            return {"type": "websocket.connect"}
        while True:
            if self.accepted:
                message = self.codec.next()
                if message is not None:
                    self.pull()
                    return {"type": "websocket.receive", **message}
            if self.closed and not self.accepted or self.stream.is_gone:
                return {"type": "websocket.disconnect", "code": 1006, "reason": ""}
            if self.accepted and self.is_over():
                return {"type": "websocket.disconnect", "code": self.codec.close_code(),
                        "reason": self.codec.close_reason()}
            await self.wait()

    async def send(self, message):
        kind = message["type"]
        if self.stream.is_gone or self.accepted and self.is_over():
            raise ConnectionResetError("the WebSocket is closed")
        if self.closed:
            refuse_order(kind, "after the WebSocket was closed")
        if kind == "websocket.accept" and not self.accepted and not self.denial_started:
            self.accept(message)
        elif kind == "websocket.send" and self.accepted:
            text, data = message.get("text"), message.get("bytes")
            if (text is None) == (data is None):
                raise ValueError("'websocket.send' has either 'text' or 'bytes'")
            self.codec.send(data if text is None else text)
            self.push()
            await self.drain()
        elif kind == "websocket.close":
            await self.close(message)
        elif kind == "websocket.http.response.start" and not self.accepted and not self.denial_started:
            self.stream.start(message["status"], message.get("headers", ()))
            self.denial_started = True
        elif kind == "websocket.http.response.body" and self.denial_started:
            more = message.get("more_body", False)
            self.closed = not more
            if not self.stream.send(message.get("body", b""), more):
                await self.drain()
        else:
            refuse_order(kind, "now")

    def accept(self, message):
        headers = [(b"Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(self.key + GUID).digest()))]
        subprotocol = message.get("subprotocol")
        if subprotocol is not None:
            headers.append((b"Sec-WebSocket-Protocol", subprotocol.encode("latin-1")))
        headers += message.get("headers", ())
        self.stream.tunnel(headers)
        self.codec = server.core.websocket()
        self.accepted = True
        server.sockets.add(self)
        self.schedule(PING_INTERVAL_S, self.ping)
        self.pull()

    async def close(self, message):
        if self.accepted:
            self.begin_close(message.get("code") or 1000, message.get("reason") or "")
        elif not self.denial_started:
            self.closed = True
            self.stream.start(403, ())
            if not self.stream.send(b"", False):
                await self.drain()

    # --- time
    def schedule(self, seconds, call):
        if self.timer is not None:
            self.timer.cancel()
        self.timer = server.loop.call_later(seconds, call)

    def ping(self):
        """Finds out that the client has vanished: nothing came since the last ping, though all that came was read.

        One that takes no byte of what it is sent is the gateway's to end.
        """
        self.wake()
        if self.is_over():
            return
        if not self.heard:
            self.begin_close(1011, "no answer to a ping")
            return
        self.heard = self.is_held_back()  # then the pong may stand behind what is not read
        self.codec.ping()
        self.push()
        self.schedule(PING_INTERVAL_S, self.ping)

    def begin_close(self, code, reason):
        """Sends a close frame; the client has HANDSHAKE_END_S to answer it."""
        if self.closed:
            return
        self.codec.close(code, reason)  # raises for what is no code and no reason: then it is not closed
        self.closed = True
        self.push()
        self.schedule(HANDSHAKE_END_S, self.give_up)

    def give_up(self):
        self.client_ended = True
        super().wake()

    async def run(self, app, scope):
        code = 1000
        try:
            await app(scope, self.receive, self.send)
            if not self.accepted and not self.closed and not self.stream.is_gone:
                raise RuntimeError("the app returned without accepting or closing the WebSocket")
        except BaseException as error:
            code = 1011
            server.note_failure(self.stream, error)
            if isinstance(error, asyncio.CancelledError) and server.is_ending:
                raise
        finally:
            if self.accepted:
                self.begin_close(code, "")
                while not self.is_over() or not (self.stream.resume() or self.stream.is_gone):
                    if self.stream.is_gone:
                        break
                    await self.wait()
                self.stream.end_tunnel()
                server.sockets.discard(self)
            if self.timer is not None:
                self.timer.cancel()
            self.stream.close()
            server.note_output()
