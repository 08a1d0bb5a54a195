"""Writes down every request that it runs, when it begins and when it is done: what shall be run at most once."""
import os
import time
from urllib.parse import parse_qs

RECORD = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def record(word, identity):
    os.write(RECORD, f"{word} {identity} {os.getpid()}\n".encode())


def application(environ, start_response):
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    identity = query["id"]
    record("begin", identity)
    body = environ["wsgi.input"].read()
    if "head" in query:  # the head leaves before the work
        start_response("200 OK", [("Content-Type", "text/plain")])
        return slow_body(query, identity)
    time.sleep(int(query.get("ms", "0")) / 1000)
    record("end", identity)
    answer = identity.encode() + b":" + body
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


def slow_body(query, identity):
    yield identity.encode()
    time.sleep(int(query.get("ms", "0")) / 1000)
    record("end", identity)
    yield b"."
