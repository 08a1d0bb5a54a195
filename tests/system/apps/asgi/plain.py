"""A plain ASGI app of the system tests: one path, one behaviour."""
import asyncio
import hashlib
import json
import time

INSTANCE = time.monotonic_ns()
STATE = {"started": False, "disconnects": []}


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await SOCKETS[scope["path"]](scope, receive, send)
    else:
        await PAGES[scope["path"]](scope, receive, send)


async def lifespan(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    STATE["started"] = True
    scope["state"]["pool"] = "a pool"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await asyncio.sleep(0.2)  # awaited by the worker
    print("lifespan is over", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send, body, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    facts = {"instance": INSTANCE, "started": STATE["started"], "pool": scope["state"]["pool"],
             "client": scope["client"][0], "root_path": scope["root_path"], "path": scope["path"],
             "loop": type(asyncio.get_running_loop()).__module__}
    await answer(send, json.dumps(facts).encode())


async def disconnects(scope, receive, send):
    await answer(send, json.dumps(STATE["disconnects"]).encode())


async def upload(scope, receive, send):
    digest, size = hashlib.sha256(), 0
    while True:
        message = await receive()
        digest.update(message["body"])
        size += len(message["body"])
        if not message["more_body"]:
            break
    await answer(send, f"{size} {digest.hexdigest()}".encode())


async def mirror(scope, receive, send):
    """Sends back what comes, while it comes."""
    await send({"type": "http.response.start", "status": 200})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})


async def ticks(scope, receive, send):
    """Endless, until the client leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})

    async def tick():
        while True:
            await send({"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True})
            await asyncio.sleep(0.02)

    ticking = asyncio.ensure_future(tick())
    message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()
    ticking.cancel()
    STATE["disconnects"].append("/ticks")


async def failing(scope, receive, send):
    raise RuntimeError("this app is broken")


async def late(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"the first half", "more_body": True})
    raise RuntimeError("too late")


async def sleepy(scope, receive, send):
    await asyncio.sleep(0.5)
    await answer(send, b"slept")


# --- WebSocket ------------------------------------------------------------------------------------------------
async def echo(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    offered = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": "chat" if "chat" in offered else None,
                "headers": [(b"x-app", b"echo")]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            STATE["disconnects"].append([message["code"], message["reason"]])
            return
        if message.get("text") == "close please":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
        elif message.get("text") == "fail please":
            raise RuntimeError("the socket's app is broken")
        elif message.get("text") == "return please":
            return
        elif message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def reject(scope, receive, send):
    await receive()
    await send({"type": "websocket.close"})


async def deny(scope, receive, send):
    await receive()
    await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Basic")]})
    await send({"type": "websocket.http.response.body", "body": b"who are you?"})


async def broken(scope, receive, send):
    raise RuntimeError("before the handshake")


async def deaf(scope, receive, send):
    """Accepts, and reads nothing until the client says so by another request."""
    await receive()
    await send({"type": "websocket.accept"})
    STATE["release"] = asyncio.Event()
    await STATE["release"].wait()
    count = 0
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") == "how many?":
            await send({"type": "websocket.send", "text": str(count)})
        else:
            count += len(message["bytes"])


async def release(scope, receive, send):
    STATE["release"].set()
    await answer(send, b"ok")


async def flood(scope, receive, send):
    """Sends more than a client that does not read can take."""
    await receive()
    await send({"type": "websocket.accept"})
    STATE["flooded"] = 0
    for _ in range(2000):
        await send({"type": "websocket.send", "bytes": b"x" * 50000})
        STATE["flooded"] += 1
    await send({"type": "websocket.close"})


async def flooded(scope, receive, send):
    await answer(send, str(STATE["flooded"]).encode())


PAGES = {"/": hello, "/disconnects": disconnects, "/upload": upload, "/mirror": mirror, "/ticks": ticks,
         "/failing": failing, "/late": late, "/sleepy": sleepy, "/release": release, "/flooded": flooded,
         "/echo": hello}
SOCKETS = {"/echo": echo, "/reject": reject, "/deny": deny, "/broken": broken, "/deaf": deaf, "/flood": flood}
