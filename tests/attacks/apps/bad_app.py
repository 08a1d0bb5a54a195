"""A hostile tenant's code that does what a test tells it: over HTTP inside a real worker, or line by line on its
standard input as a child that has nothing but the tenant's uid.  `do` is "module.function" of the files beside it.

An OSError is answered by its name; whatever an action returns must be JSON.
"""
import errno
import importlib
import json
import os
import sys


def perform(order):
    module, function = order["do"].split(".")
    if not module.startswith("bad_"):
        return {"failed": f"{module} is not an action's module"}
    try:
        return {"value": getattr(importlib.import_module(module), function)(**order.get("arguments", {}))}
    except OSError as error:
        return {"value": errno.errorcode.get(error.errno, str(error))}
    except Exception as error:  # pylint: disable=broad-except
        return {"failed": f"{type(error).__name__}: {error}"}


def application(environ, start_response):
    answer = b"hello"
    if environ["PATH_INFO"] == "/do":
        answer = json.dumps(perform(json.loads(environ["wsgi.input"].read()))).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(answer)))])
    return [answer]


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what an action prints is not an answer
    for line in sys.stdin:
        answers.write(json.dumps(perform(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
