"""Writes down which requests it ran: one line for each, durable against any death of this process."""
import hashlib
import os
from urllib.parse import parse_qs

FILE = os.open(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"ran-{os.getpid()}-{os.urandom(4).hex()}"),
               os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)


def application(environ, start_response):
    identity = parse_qs(environ["QUERY_STRING"]).get("id", ["none"])[0]
    body = environ["wsgi.input"].read()
    os.write(FILE, f"{identity}\n".encode())
    answer = f"{identity} {hashlib.sha256(body).hexdigest()}\n".encode() * 20
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]
