"""A strict, small HTTP client over raw sockets: it knows a complete response from a cut one."""
import http.client
import socket
from dataclasses import dataclass, field


class CutResponse(Exception):
    """The connection ended before the response was complete."""


@dataclass
class Response:
    status: int
    reason: str
    headers: list = field(default_factory=list)
    body: bytes = b""

    def header(self, name):
        """The value of the only field of this name, or None."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def cause(self):
        return self.header("Rowhouse-Cause")


class Connection:
    """One connection; requests one after the other."""

    def __init__(self, port, timeout=20.0):
        """`port`: of 127.0.0.1, or the path of a UNIX socket."""
        if isinstance(port, int):
            self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(port))
        self.buffer = b""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, host, path, method="GET", headers=(), body=b""):
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{k}: {v}" for k, v in dict(headers).items())]
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def request(self, host, path, method="GET", headers=(), body=b""):
        self.send(host, path, method, headers, body)
        return self.read_response(method)

    def read_response(self, method="GET"):
        response = self.read_head()
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return response
        if "chunked" in (response.header("Transfer-Encoding") or ""):
            response.body = b"".join(self.chunks())
        elif response.header("Content-Length") is not None:
            response.body = self.take(int(response.header("Content-Length")))
        else:
            response.body = self.take_to_end()
        return response

    def read_head(self):
        head = self.take_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = (head[0] + "  ").split(" ", 2)
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise http.client.BadStatusLine(head[0])
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in head[1:] if line]
        return Response(int(status), reason.strip(), headers)

    def chunks(self):
        """The chunks as they arrive; a cut body raises."""
        while size := int(self.take_until(b"\r\n").split(b";")[0], 16):
            yield self.take(size)
            assert self.take(2) == b"\r\n", "a chunk does not end where it says"
        assert self.take_until(b"\r\n") == b"\r\n", "trailers"

    def take_until(self, mark):
        while mark not in self.buffer:
            self.fill()
        end = self.buffer.index(mark) + len(mark)
        taken, self.buffer = self.buffer[:end], self.buffer[end:]
        return taken

    def take(self, count):
        parts, have = [self.buffer[:count]], min(count, len(self.buffer))
        self.buffer = self.buffer[count:]
        while have < count:
            self.fill()
            part, self.buffer = self.buffer[:count - have], self.buffer[count - have:]
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def take_to_end(self):
        parts = [self.buffer]
        self.buffer = b""
        while data := self.socket.recv(1 << 16):
            parts.append(data)
        return b"".join(parts)

    def fill(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError as error:
            raise CutResponse(str(error)) from error
        if not data:
            raise CutResponse("end of file")
        self.buffer += data


def get(port, host, path, method="GET", headers=(), body=b"", timeout=20.0):
    """One request on a connection of its own."""
    with Connection(port, timeout) as connection:
        return connection.request(host, path, method, headers, body)
