"""The same as an ASGI app: its lifespan and its event loop belong to each worker."""
import asyncio
import json

import preloaded

LIFESPAN = []


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            LIFESPAN.append([message["type"], preloaded.os.getpid(), id(asyncio.get_running_loop())])
            with open(preloaded.HERE / "lifespans", "a", encoding="ascii") as file:
                file.write(f"{message['type']} {preloaded.os.getpid()}\n")
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(0.2)
    body = json.dumps({**preloaded.facts(), "lifespan": LIFESPAN, "loop": id(asyncio.get_running_loop())}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
