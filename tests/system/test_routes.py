"""Redirects, a default site, the host's own challenge directory, the tenant's own pages, compression, rates."""
import gzip
import json
import os
import threading

import pytest
from http_client import Connection, get
from processes import wait_until


def follow(host, name, path):
    answer = host.http(name, path)
    return answer.status, answer.header("Location")


def test_redirect_routes_keep_the_path_and_work_while_the_app_is_stopped(host):
    tenant = host.add_tenant("acme", domains=["acme.test", "old.acme.test"])
    tenant.manifest("apps:\n  site:\n    routes: [acme.test]\n    wsgi: 'app:application'\n    redirect:\n"
                    "      old.acme.test: https://www.acme.test\n"
                    "      acme.test/moved: { to: /new, status: 302, keep_path: false }\n")
    tenant.put("app.py", "def application(environ, start_response):\n    start_response('200 OK', [])\n"
                         "    return [environ['PATH_INFO'].encode()]\n")
    host.start("acme/site")
    assert follow(host, "old.acme.test", "/a%20b/c?x=1") == (301, "https://www.acme.test/a%20b/c?x=1")
    assert follow(host, "old.acme.test", "/%0d%0aX:y") == (301, "https://www.acme.test/%0D%0AX:y")
    assert follow(host, "acme.test", "/moved/there?x=1") == (302, "/new")
    assert host.http("acme.test", "/movedx").text == "/movedx"
    assert host.cli("stop", "acme/site").code == 0
    assert follow(host, "old.acme.test", "/") == (301, "https://www.acme.test/")


def test_a_redirect_of_a_foreign_domain_is_refused(host):
    host.add_tenant("acme", manifest="apps:\n  site:\n    routes: [acme.test]\n    wsgi: 'app:application'\n"
                                     "    redirect: { blake.test: https://evil.test }\n").put("app.py", "")
    host.start()
    wait_until(lambda: "not under a domain" in host.cli("status", "--json").out
               or "not under a domain" in host.log, 20, lambda: host.log)
    assert host.http("blake.test", "/").status == 421


def test_the_default_site_answers_for_unknown_hosts(host):
    host.gateway_keys = ", default_site: acme.test"
    host.add_probe("acme")
    host.start("acme/site")
    environ = json.loads(host.http("nobody.test", "/environment").text)["wsgi"]
    assert environ["HTTP_HOST"] == "nobody.test"


def test_the_challenge_directory_answers_on_every_host(host):
    acme = host.directory / "acme-challenge"
    acme.mkdir()
    acme.chmod(0o755)
    (acme / "token").write_text("key authorization")
    (acme / "token").chmod(0o644)
    os.symlink("/etc/passwd", acme / "link")
    host.gateway_keys = f", acme_challenge: {acme}"
    host.add_probe("blake")
    host.start("blake/site")
    for name in ("blake.test", "nobody.test"):
        assert host.http(name, "/.well-known/acme-challenge/token").text == "key authorization"
    assert host.http("blake.test", "/.well-known/acme-challenge/other").text == "no such probe", "the app's to answer"
    assert host.http("nobody.test", "/.well-known/acme-challenge/link").status == 421


def test_the_tenants_pages_replace_ours_for_people_and_not_for_programs(host):
    tenant = host.add_probe("acme", error_pages="{ 404: pages/404.html, 5xx: pages/5xx.html }",
                            routes="[acme.test/app]")
    tenant.put("pages/404.html", "<h1>lost</h1>")
    tenant.put("pages/5xx.html", "<h1>broken</h1>")
    host.set_probe(tenant, error_pages="{ 404: pages/404.html, 5xx: pages/5xx.html }",
                   static="{ /static/: pages }", routes="[acme.test]")
    host.start("acme/site")
    lost = host.http("acme.test", "/static/nothing")
    assert (lost.status, lost.text) == (404, "<h1>lost</h1>") and lost.header("Rowhouse-Error")
    program = host.http("acme.test", "/static/nothing", headers={"Accept": "application/json"})
    assert json.loads(program.text)["error"]["code"] == "RH-FORBIDDEN"
    assert host.http("acme.test", "/fail").text == "<h1>broken</h1>"
    assert host.http("acme.test", "/nothing").text == "no such probe", "the app's own answer is the app's"
    assert "<h1>" in host.http("nobody.test", "/").text and "lost" not in host.http("nobody.test", "/").text


def test_answers_are_compressed_where_the_manifest_says_so(host):
    tenant = host.add_probe("acme", compress="{ types: [text/plain], min: 1K }")
    host.start("acme/site")
    accept = {"Accept-Encoding": "gzip"}
    for mode in ("", "&mode=stream"):
        path = f"/echo?id=1&size=50000{mode}"
        zipped = host.http("acme.test", path, headers=accept)
        plain = host.http("acme.test", path)
        assert zipped.header("Content-Encoding") == "gzip" and zipped.header("Vary") == "Accept-Encoding"
        assert gzip.decompress(zipped.body) == plain.body and len(plain.body) == 50_000 > len(zipped.body)
        assert plain.header("Content-Encoding") is None and plain.header("Vary") == "Accept-Encoding"
    assert host.http("acme.test", "/echo?id=1&size=50000", headers={**accept, "Cookie": "a=b"}).header(
        "Content-Encoding") is None
    assert host.http("acme.test", "/hello", headers=accept).header("Content-Encoding") is None
    brotli = host.http("acme.test", "/echo?id=1&size=50000", headers={"Accept-Encoding": "br, gzip"})
    assert brotli.header("Content-Encoding") == "br" and len(brotli.body) < 5000
    head = host.http("acme.test", "/echo?id=1&size=50000", method="HEAD", headers=accept)
    assert head.header("Content-Encoding") == "gzip" and head.body == b""
    with Connection(host.port) as connection:
        for number in range(3):
            answer = connection.request("acme.test", f"/echo?id={number}&size=9000", headers=accept)
            assert gzip.decompress(answer.body).startswith(f"{number}\n".encode())
    assert tenant.domain == "acme.test"


@pytest.mark.sanitized
def test_a_tenants_rate_is_one_over_all_gateways_and_apps(host):
    host.gateways = 2
    host.plans = ("  test: { memory: 256M, cpu: 100%, pids: 64, workers: 2, threads: 4, concurrency: 50, queue: 50, "
                  "rate: 10/s }\n")
    host.add_probe("acme")
    host.add_probe("blake", routes="[blake.test]")
    host.start("acme/site", "blake/site")
    statuses, causes = [], set()

    def ask():
        for _ in range(40):
            answer = get(host.port, "acme.test", "/hello")
            statuses.append(answer.status)
            if answer.status == 429:
                causes.add((answer.cause, answer.header("Retry-After")))

    running = [threading.Thread(target=ask) for _ in range(5)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    assert len(statuses) == 200 and set(statuses) == {200, 429}
    assert causes == {("RH-RATE", "1")}
    assert host.http("blake.test").status == 200, "the neighbour has a rate of its own"
    wait_until(lambda: host.http("acme.test").status == 200, 10, "the next second brings more")
