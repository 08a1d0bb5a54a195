"""A small Flask app: a page, a form, a stream, uploads and downloads."""
import hashlib
import os
import time

from flask import Flask, Response, jsonify, render_template, request

app = Flask(__name__)
CHUNK_BYTES = 64 * 1024
MAX_TICKS = 1000


@app.get("/")
def index():
    return render_template("index.html", uid=os.getuid(), pid=os.getpid(), home=os.environ.get("HOME", "?"))


@app.post("/greet")
def greet():
    return jsonify(greeting=f"Hello, {request.form.get('name', 'stranger')[:80]}")


@app.post("/upload")
def upload():
    """Counts and hashes what was sent, without keeping it."""
    digest, size = hashlib.sha256(), 0
    while chunk := request.stream.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return jsonify(bytes=size, sha256=digest.hexdigest())


@app.get("/ticks")
def ticks():
    """One line at a time: when it was made, by the clock that all processes share."""
    count = min(request.args.get("count", 10, int), MAX_TICKS)
    pause = min(request.args.get("ms", 200, int), 10_000) / 1000

    def lines():
        for number in range(count):
            yield f"{number} {time.monotonic_ns()}\n"
            time.sleep(pause)

    return Response(lines(), mimetype="text/plain")
