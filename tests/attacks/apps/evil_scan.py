"""An ordinary WSGI app in an ordinary worker that looks for what it was not given: the channels among its
descriptors, to write on them behind the worker program's back."""
import os
import socket
import stat
from urllib.parse import parse_qs

LIFELINE = 3


def channels():
    """The connected UNIX stream sockets of this process, as new descriptors of ours."""
    found = []
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        number = int(name)
        try:
            if number == LIFELINE or not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
        except OSError:
            continue
        copy = socket.socket(fileno=os.dup(number))
        if copy.family == socket.AF_UNIX and copy.type == socket.SOCK_STREAM:
            found.append(copy)
    return found


def application(environ, start_response):
    query = {key: values[0] for key, values in parse_qs(environ["QUERY_STRING"]).items()}
    found = channels()
    if environ["PATH_INFO"] == "/write":
        for each in found:
            each.sendall(bytes.fromhex(query["hex"]))
    body = str(len(found)).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
