import hashlib

from django.http import JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .models import Entry

CHUNK_BYTES = 64 * 1024
MAX_DOWNLOAD_MEBIBYTES = 256


@require_http_methods(["GET", "HEAD", "POST"])
def index(request):
    """The guest book: read it, sign it."""
    if request.method == "POST":
        name, text = request.POST.get("name", "").strip(), request.POST.get("text", "").strip()
        if name and text:
            Entry.objects.create(name=name[:80], text=text[:1000])
        return redirect("index")
    return render(request, "guestbook/index.html", {"entries": Entry.objects.all()[:50]})


@csrf_exempt
@require_POST
def upload(request):
    """Counts and hashes what was sent, without keeping it."""
    digest, size = hashlib.sha256(), 0
    while chunk := request.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return JsonResponse({"bytes": size, "sha256": digest.hexdigest()})


def mebibyte(number):
    """The bytes of one mebibyte of a download: different for each number, the same every time."""
    return hashlib.sha256(str(number).encode()).digest() * (1024 * 1024 // 32)


@require_GET
def download(request, mebibytes):
    """Streams that many mebibytes, made as they are sent."""
    count = min(mebibytes, MAX_DOWNLOAD_MEBIBYTES)
    return StreamingHttpResponse((mebibyte(n) for n in range(count)), content_type="application/octet-stream")
