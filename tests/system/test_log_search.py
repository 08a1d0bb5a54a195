"""rowhouse logs with a question: by time, level, request and text, in the app's log and in the access log."""
import json
import subprocess

import pytest
from processes import wait_until
from rowhouse_host import BUILD

APP = ("import sys\n\ndef application(environ, start_response):\n"
       "    level = environ['PATH_INFO'].strip('/').upper()\n"
       "    print(f\"{level} said by {environ['rowhouse.request_id']}\", file=environ['wsgi.errors'])\n"
       "    start_response('500 Oh' if level == 'ERROR' else '200 OK', [('X-Id', environ['rowhouse.request_id'])])\n    return [b'x']\n")


@pytest.fixture
def acme(host):
    host.gateways = 1
    tenant = host.add_tenant("acme")
    tenant.put("app.py", APP)
    host.set_probe(tenant, wsgi="app:application", directory=".")
    host.start("acme/site")
    return tenant


def logs(host, *arguments):
    answer = host.cli("logs", "acme/site", "--json", "-n", "1000", *arguments)
    assert answer.code == 0, answer
    return [json.loads(line)["text"] for line in answer.out.splitlines()]


def test_lines_are_found_by_level_request_text_and_time(host, acme):
    ids = {level: dict(host.http(acme.domain, f"/{level}").headers)["X-Id"] for level in ("info", "warning", "error")}
    wait_until(lambda: len(logs(host, "--text", "said by")) == 3, 10, "they are written")
    assert logs(host, "--level", "warning") == [f"WARNING said by {ids['warning']}", f"ERROR said by {ids['error']}"]
    assert logs(host, "--request", ids["info"]) == [f"INFO said by {ids['info']}"]
    assert logs(host, "--request", ids["info"][:-1]) == []
    assert logs(host, "--text", "is ready", "--level", "info") == ["generation 1 is ready"]
    wait_until(lambda: len(logs(host, "--access")) == 3, 10, "the access log has them")
    [line] = logs(host, "--access", "--level", "error")
    assert '"GET /error HTTP/1.1" 500' in line and ids["error"] in line
    assert logs(host, "--access", "--request", ids["error"]) == [line]
    assert len(logs(host, "--since", "1h", "--text", "said")) == 3 and logs(host, "--until", "1h") == []
    assert logs(host, "--since", "2100-01-01") == []
    wrong = host.cli("logs", "acme/site", "--since", "tomorrow")
    assert wrong.code == 1 and "since and until must be" in wrong.err


def test_what_is_followed_is_filtered_too(host, acme):
    command = [BUILD / "rowhouse", "--socket", host.socket_path, "logs", "acme/site", "--json", "-f", "--level", "error"]
    host.http(acme.domain, "/error")  # so that the first line shows that it follows
    wait_until(lambda: len(logs(host, "--level", "error")) == 1, 10, "it is written")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as following:
        lines = [following.stdout.readline()]
        for level in ("info", "error", "warning", "error"):
            assert host.http(acme.domain, f"/{level}").status in (200, 500)
        lines += [following.stdout.readline() for _ in range(2)]
        following.terminate()
    assert ["ERROR said by" in line for line in lines] == [True] * 3
