"""Other servers that run the same files of an app: what they answer is what Rowhouse has to answer."""
import contextlib
import re
import subprocess

import http_client
from processes import wait_until
from rowhouse_host import PATIENCE_S, free_port

# What belongs to the server or to the moment.
SERVERS_OWN = {"date", "server", "connection", "transfer-encoding", "keep-alive"}
WSGIREF = """
import importlib, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
port, (module, _, attribute), prefix = int(sys.argv[1]), sys.argv[2].partition(":"), sys.argv[3]
sys.path.insert(0, "")
application = getattr(importlib.import_module(module), attribute)
WSGIRequestHandler.log_message = lambda *_: None

def mounted(environ, start_response):
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = prefix, environ["PATH_INFO"][len(prefix):]
    return application(environ, start_response)

make_server("127.0.0.1", port, mounted).serve_forever()
"""


@contextlib.contextmanager
def serving(command, port, directory, environment):
    process = subprocess.Popen(command, cwd=directory, stderr=subprocess.DEVNULL,
                               env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(directory), **environment})

    def answers():
        assert process.poll() is None, f"{command} ended"
        try:
            return http_client.get(port, "acme.test", "/").status > 0
        except OSError:
            return False

    try:
        wait_until(answers, 3 * PATIENCE_S, "the other server answers")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def wsgiref(directory, name, prefix="", environment=None):
    """wsgiref with the app `name` of `directory` mounted at `prefix`; yields its port."""
    port = free_port()
    return serving(["/usr/bin/python3", "-B", "-c", WSGIREF, str(port), name, prefix], port, directory, environment or {})


def uvicorn(directory, name, root_path="", environment=None):
    port = free_port()
    return serving(["/usr/bin/python3", "-B", "-m", "uvicorn", "--port", str(port), "--log-level", "critical",
                    "--root-path", root_path, name], port, directory, environment or {})


def own_headers(status, headers):
    # wsgiref says that the body which a 304 cannot have has no bytes.
    own = SERVERS_OWN | ({"content-length"} if status in (204, 304) else set())
    fields = [(name.lower(), value) for name, value in headers if name.lower() not in own]
    # The order of these comes from a set of str in the framework: it differs from process to process.
    return sorted((name, ", ".join(sorted(value.split(", "))) if name == "allow" else value) for name, value in fields)


def without_secrets(text):
    """A page or field without what is new each time: tokens, session ids, the time of day."""
    text = re.sub(r"\b[A-Za-z0-9]{64}\b", "TOKEN", text)
    text = re.sub(r"(sessionid|csrftoken)=\w+", r"\1=ID", text)
    text = re.sub(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "DATE", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+|\d{1,2}:\d\d [ap]\.m\.", "TIME", text)
    return text
