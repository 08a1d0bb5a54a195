"""FastAPI and Starlette as a customer would use them; also run by uvicorn, unchanged, to compare."""
import asyncio
import hashlib

from fastapi import BackgroundTasks, FastAPI, File, HTTPException, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel

app = FastAPI()
STATE = {"started": 0, "background": [], "left": 0}


class Item(BaseModel):
    name: str
    price: float


@app.on_event("startup")
async def startup():
    await asyncio.sleep(0.01)
    STATE["started"] += 1


@app.get("/")
async def root(q: str = "nothing"):
    return {"q": q, "started": STATE["started"], "text": "Grüße"}


@app.get("/sync")
def in_a_thread():
    return PlainTextResponse("from a thread")


@app.post("/items")
async def items(item: Item):
    return {"name": item.name.upper(), "price": item.price * 2}


@app.get("/missing")
async def missing():
    raise HTTPException(404, "there is no such thing", headers={"X-Why": "gone"})


@app.get("/moved")
async def moved():
    return RedirectResponse("/")


@app.post("/upload")
async def upload(file: UploadFile = File(...)):
    data = await file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@app.get("/stream")
async def stream():
    async def parts():
        for number in range(50):
            yield f"part {number}\n"
            await asyncio.sleep(0)
    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/events")
async def events():
    async def ticks():
        try:
            while True:
                yield "data: tick\n\n"
                await asyncio.sleep(0.02)
        finally:
            STATE["left"] += 1
    return StreamingResponse(ticks(), media_type="text/event-stream")


@app.get("/left")
async def left():
    return STATE["left"]


@app.get("/file")
async def file():
    return FileResponse(__file__)


@app.get("/cookies")
async def cookies():
    response = PlainTextResponse("two cookies")
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


@app.post("/later")
async def later(tasks: BackgroundTasks, what: str):
    tasks.add_task(STATE["background"].append, what)
    return "accepted"


@app.get("/background")
async def background():
    return STATE["background"]


@app.websocket("/chat/{room}")
async def chat(socket: WebSocket, room: str):
    await socket.accept(subprotocol="chat" if "chat" in socket.scope["subprotocols"] else None)
    try:
        while True:
            await socket.send_json({"room": room, "heard": await socket.receive_text()})
    except WebSocketDisconnect as end:
        STATE["background"].append(f"left with {end.code}")
