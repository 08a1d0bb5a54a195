"""The control API over its UNIX socket, by the standard library: as a panel written in Python would call it."""
import http.client
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass


@dataclass
class Reply:
    status: int
    body: dict

    @property
    def error(self):
        return self.body["error"]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("rowhouse", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def check_against_page(method, path, reply):
    """Every answer that a test gets is one that docs/openapi.yaml describes."""
    import api_page  # here, because the copy that runs as a tenant has nothing to import it from
    api_page.check_answer(method, path, reply.status, reply.body)
    return reply


def call(socket_path, method, path, body=None, timeout=120):
    """One request; `body` is an object, or bytes as they are."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    return check_against_page(method, path, _call(socket_path, method, path, data, timeout))


def _call(socket_path, method, path, data, timeout=120):
    connection = _Connection(socket_path, timeout)
    try:
        connection.request(method, path, data)
        answer = connection.getresponse()
        text = answer.read()
        if answer.headers["Content-Type"] == "application/x-ndjson":
            return Reply(answer.status, [json.loads(line) for line in text.splitlines()])
        if answer.headers["Content-Type"].startswith("text/"):
            return Reply(answer.status, text.decode())
        return Reply(answer.status, json.loads(text))
    finally:
        connection.close()


def call_as(uid, socket_path, method, path, body=None):
    """The same by another user, whom the kernel names."""
    text = body.decode() if isinstance(body, bytes) else None if body is None else json.dumps(body)
    done = subprocess.run([sys.executable, "-I", os.path.abspath(__file__), str(socket_path), method, path],
                          input=json.dumps(text), user=uid, group=uid, extra_groups=[], capture_output=True, text=True,
                          timeout=120, check=True, cwd="/")
    status, answer = json.loads(done.stdout)
    return check_against_page(method, path, Reply(status, answer))


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    told = _call(*sys.argv[1:4], None if given is None else given.encode())
    print(json.dumps([told.status, told.body]))
