"""The app through which the probes run inside a real worker: POST /IDENTITY with the context as JSON."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import catalogue  # noqa: E402
import child  # noqa: E402


def application(environ, start_response):
    identity = environ["PATH_INFO"].lstrip("/")
    probe = catalogue.PROBES.get(identity)
    if probe is None:
        start_response("404 Not Found", [("Content-Length", "0")])
        return []
    context = json.loads(environ["wsgi.input"].read())
    body = json.dumps(child.run(probe, context).as_json()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
