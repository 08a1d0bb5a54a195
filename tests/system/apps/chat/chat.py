"""Django under ASGI in one file, with Channels for its WebSockets; also run by uvicorn, unchanged, to compare."""
import asyncio
import hashlib
import json
import os

import django
from django.conf import settings

HERE = os.path.dirname(os.path.abspath(__file__))
settings.configure(
    SECRET_KEY="only for this test", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], USE_TZ=True, DEBUG=False,
    INSTALLED_APPS=["channels"], MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    FILE_UPLOAD_MAX_MEMORY_SIZE=100_000, CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}})
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer, WebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path, re_path, reverse  # noqa: E402


def home(request):
    response = JsonResponse({"method": request.method, "path": request.path, "home": reverse(home), "query": request.GET})
    response.set_cookie("one", "1")
    response.set_cookie("two", "2", httponly=True)
    return response


async def waits(_request):
    await asyncio.sleep(0.01)
    return HttpResponse("awaited")


def upload(request):
    data = b"".join(request.FILES["file"].chunks())
    return JsonResponse({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "name": request.POST["name"]})


def stream(_request):
    return StreamingHttpResponse((b"%d\n" % number * 1000 for number in range(100)), content_type="text/plain")


def file(_request):
    return FileResponse(open(__file__, "rb"), as_attachment=True)


def fails(_request):
    raise RuntimeError("the view failed")


class Room(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.room = self.scope["url_route"]["kwargs"]["room"]
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def receive_json(self, content, **_keys):
        await self.channel_layer.group_send(self.room, {"type": "said", "text": content["say"]})

    async def said(self, event):
        await self.send_json({"room": self.room, "said": event["text"]})

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.room, self.channel_name)
        await self.channel_layer.group_send(self.room, {"type": "said", "text": f"somebody left with {code}"})


class Shout(WebsocketConsumer):
    """A synchronous consumer: it runs in a thread."""

    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=json.dumps({"shout": text_data.upper()}))


urlpatterns = [path("", home), path("waits", waits), path("upload", upload), path("stream", stream), path("file", file),
               path("fails", fails)]
# Channels matches the whole path, also what a route of the manifest has before it.
application = ProtocolTypeRouter({
    "http": get_asgi_application(),
    "websocket": URLRouter([re_path(r"^(?:chat/)?room/(?P<room>\w+)$", Room.as_asgi()),
                            re_path(r"^(?:chat/)?shout$", Shout.as_asgi())])})
